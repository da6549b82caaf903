/**
 * Why a target is missed, written by hand after a run: the key is the target's work in `targets.ts`, and the text
 * completes the sentence "missed, because …". `npm run bench -- --page` then writes the page again.
 */
export const NOTES: Record<string, string> = {
  'dump to a file, 1 GB':
    'the floor, the same data of one connection without compression, is only 1.89 times as fast as `pg_dump -Fc`; this dump is at the floor',
  'dump to S3, 1 GB':
    'five starts of the AWS CLI and the upload take 2.2 s of processor time, beside 8.7 s of the server and of the compression, and both cores are busy; the naive pipeline starts it once and asks nothing',
  'dump to S3, 100 MB':
    'each start of the AWS CLI takes 0.4 s of a core. The naive pipeline starts it once; this dump five times, for the dumps before, the manifest of the last one, the upload, the stored size and the manifest, and two cores are busy with them',
  'restore from S3 by full key, 1 GB':
    'nearly all of it is the work of the server, which both cores are busy with (20.6 s of processor time). This restore includes `ANALYZE`, the swap, and the checkpoint that the drop of the replaced database waits for; the pipeline has none of them',
  'restore from S3 by full key, 100 MB':
    '`ANALYZE`, the swap and the drop of the replaced database, which the pipeline does not have, take half a second, and a second start of the AWS CLI, for the manifest, 0.4 s of a core',
  'restore of one large table':
    'the COPY and the index builds of the server take 17 s of processor time on two cores in both ways, so 9 s is the least possible; `ANALYZE`, the swap and the drop are part of this restore',
  'dump of many tables, slow link':
    '`pg_dump` waits for 107 answers one after the other before it has read the catalog (4.7 of 6.0 s), with four connections as with one; the rows are read and compressed meanwhile',
  'dump of one table, slow link':
    '`pg_dump` waits for 79 answers one after the other before it has read the catalog (3.5 of 4.9 s), with four connections as with one; with 1 GB it is 3.6 times as fast',
  'restore of many tables, slow link':
    '`pg_restore` waits for about 33 answers for the schema and each further one for about 27 before and after its rows, 2.4 s in all, and this restore for about 60 more, where four connections do not help; the rows take 3 s',
  'restore of one table, slow link':
    '`pg_restore` waits for about 27 answers for the schema and each further one for about 22 before and after its rows, 2 s in all, and this restore for about 60 more, where four connections do not help; with 1 GB it is 3.0 times as fast',
  'preview from a template':
    'the copy of 1.1 GB of files takes the server 2.8 s of processor time, and the restore has become faster: 15.7 s',
  'dump of 5,000 partitions':
    'Node.js, the look at the server and the manifest take half a second, which is a fourth of so short a dump',
  'memory of our process, every row':
    'a copy holds what it reads ahead for several connections on both sides, and each of 200,000 large objects has an entry of its own, of 250 bytes as stored and 100 as an object, on top of the 90 MB of Node.js',
}
