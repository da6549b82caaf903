/** A failure of the real world: what triggers it, and what this action does. The number is the one in test names. */
export type Scenario = readonly [trigger: string, ours: string]

/** Scenarios of dump, restore, copy, prune and verify pipelines, found in incident reports, issues and sources. */
export const SCENARIOS: Readonly<Record<number, Scenario>> = {
  1: ['`pg_dump` dies in mid-stream', 'fails; the end of file is held back, so nothing is published'],
  2: ['`pg_dump` fails before its first byte', 'fails with the reason; no upload begins'],
  3: [
    'The client is older than the server, or a wrapper picks another major',
    'chooses the client by the pair of versions, never through the wrapper, or says which one is missing',
  ],
  4: ['Somebody else has locked a table', 'fails after `lock-wait-timeout` and says so'],
  5: ['A standby cancels the dump', 'says why, and starts the dump again'],
  6: ['A connection pooler in transaction mode', 'refuses it, and names the direct host'],
  7: ['The connection to the database goes silent', 'fails after `idle-timeout`, and ends every program'],
  8: ['The disk is full', 'fails; nothing has the final name, and the partial file is gone'],
  9: ['The uploader is killed', 'fails, and ends the multipart upload'],
  10: ['The job is cancelled', 'ends every program and takes back what it began, before the runner kills'],
  11: ['The runner vanishes', 'what is left is marked, and the post step or a later run removes it'],
  12: [
    'The store takes fewer parts',
    '`s3-max-parts` decides the size of parts; without it the step names it',
  ],
  13: ['Credentials expire during the upload', 'fails and says so; the post step cleans up'],
  14: ['The store answers 503 or 500', 'tries again; fails when it stays so'],
  15: ['The store keeps the framing of checksums', 'compares the stored size; does not use them off AWS'],
  16: ['Object Lock', 'explains refused uploads; a dump that may not be deleted is a line of the table'],
  17: ['Two runs, one name', 'the first wins, the other fails and takes nothing away'],
  18: [
    'A download ends early and looks whole',
    'counts and hashes every byte before the swap; the target stays',
  ],
  19: [
    '`Range` is ignored, or the object is replaced while it is read',
    'the same comparison; the target stays',
  ],
  20: ['The download is cut', 'fails; the target stays as it was'],
  21: ['The download stalls', 'fails after `idle-timeout`; the target stays as it was'],
  22: ['Bit rot in storage', 'SHA-256 of the manifest, at every restore; the target stays as it was'],
  23: ['A script of SQL that is cut', 'only archives are read, in which every cut is noticed'],
  24: ['An archive that is cut or altered', 'the structure is checked to its last byte'],
  25: ['Some statements fail', 'stops at the first error that is not known to be harmless; the target stays'],
  26: [
    'Versions that do not fit each other',
    'the client by the pair; archives in the words of older readers',
  ],
  27: [
    'The AWS CLI is missing, old or broken',
    'installs it, or says what to install, before the dump begins',
  ],
  28: ['Roles, extensions and triggers of another provider', 'owners and grants stay away by default'],
  29: [
    'Objects in `template1`, another encoding or collation',
    'a new database comes from `template0`, with the locale of the old one',
  ],
  30: [
    '`pg_restore` or its connection dies',
    'fails, and drops the staging database; the target stays as it was',
  ],
  31: [
    'Clients come back all the time, runs compete',
    'closes the door for the moment of two renames; one run wins',
  ],
  32: [
    'A swap loses what belongs to a database',
    'owner, grants, limits, settings and comment are carried over',
  ],
  33: ['A crash in the middle of the swap', 'one transaction on the server: old or new, never none'],
  34: ['No right to create databases', 'says so before the work; `swap: false` restores in one transaction'],
  35: ['Prune after a failed dump', 'a failed dump prunes nothing; the newest stays whatever the rules'],
  36: [
    'Prune meets what is foreign, running, unreadable or locked',
    'deletes only committed dumps by their exact keys',
  ],
  37: ['Hostile names and keys', 'a name is never an option, an address, SQL or a path'],
  38: ['Ambient `PG*`, `AWS_*`, `~/.psqlrc`, service files', 'programs get an environment of an allow-list'],
  39: [
    'Secrets in arguments, errors and logs',
    'masked in all spellings, never an argument, hidden in every text',
  ],
  40: [
    'Rows and names that look like workflow commands',
    'row data are hidden, and every line is neutralised',
  ],
}

/** Said in the page, because silence would look like coverage. */
export const NOT_COVERED: readonly string[] = [
  'AWS itself and other providers: the tests talk to two S3 servers on the same machine.',
  'Machines that lose power: crashes kill processes, and the kernel keeps what they have written.',
  'A server that dies between the two steps of a swap, and the runner with it before its post step: the target is the old database and lets nobody in, until the next restore or `ALTER DATABASE … ALLOW_CONNECTIONS true`.',
  'macOS and Windows: their paths are chosen by tables, and not run here.',
  'A dump of which the runner vanished between its data and its manifest: the data stay in storage, are listed with `committed: false`, and nothing takes them for a dump. They cannot be told from the dumps of other tools, so no run deletes them.',
  'Two dumps into S3 whose keys are the same to the microsecond: the second fails, and its data may have replaced those of the first, which a restore or verify of the first then refuses. In a folder the first stays whole.',
  'The rows of a restored table are compared by number; that the bytes are right is what SHA-256 and the structure of the archive prove.',
]
