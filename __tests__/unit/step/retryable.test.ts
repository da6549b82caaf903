import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AwsError } from '../../../src/aws/cli.ts'
import { explainAws } from '../../../src/aws/errors.ts'
import { DatabaseError } from '../../../src/database/connection/session.ts'
import { PermanentError, TransientError } from '../../../src/errors.ts'
import { ChildError, type Exit } from '../../../src/process/child.ts'
import { isRetryable } from '../../../src/step/retryable.ts'

const ended: Exit = { code: 1, signal: null, error: null }

/** A program that failed with these last lines. */
const said = (text: string, exit = ended) => new ChildError('a program failed', exit, text.split('\n'))

/** The AWS CLI, as `awsFailure` describes it. */
const awsSaid = (text: string, exit = ended) =>
  new AwsError('aws s3 cp failed', explainAws(text).code, text, { cause: said(text, exit) })

const closed = 'server closed the connection unexpectedly'
const cut = `${closed}\n\tThis probably means the server terminated abnormally\n\tbefore or while processing the request.`
const at = 'connection to server at "127.0.0.1", port 40861 failed:'

test('what the client programs say of a connection that broke passes', () => {
  const texts = [
    // pg_dump 10, 13, 15 to 18.
    `pg_dump: Dumping the contents of table "bulk" failed: PQgetCopyData() failed.\npg_dump: Error message from server: ${cut}\npg_dump: The command was: COPY public.bulk (id) TO stdout;`,
    `pg_dump: error: Dumping the contents of table "bulk" failed: PQgetCopyData() failed.\npg_dump: error: Error message from server: SSL SYSCALL error: EOF detected\npg_dump: error: The command was: COPY public.bulk (id) TO stdout;`,
    `pg_dump: error: Dumping the contents of table "bulk" failed: PQgetCopyData() failed.\npg_dump: detail: Error message from server: ${cut}\npg_dump: detail: Command was: COPY public.bulk (id) TO stdout;`,
    `pg_dump: error: ${at} ${cut}`,
    'pg_dump: error: query failed: could not receive data from server: Connection timed out',
    // pg_restore 15.
    `pg_restore: error: error returned by PQputCopyData: ${cut}`,
    `pg_restore: error: COPY failed for table "bulk": ${cut}\npg_restore: error: could not execute query: no connection to the server`,
    'pg_restore: error: could not execute query: SSL connection has been closed unexpectedly',
    'pg_restore: error: could not execute query: could not send data to server: Broken pipe',
    // psql 10, 15 and 18.
    `psql:<stdin>:1: ${cut}\nconnection to server was lost`,
    `psql:<stdin>:1: ${cut}\npsql:<stdin>:1: error: connection to server was lost`,
    'psql:<stdin>:3: error: SSL error: unexpected eof while reading',
  ]
  for (const text of texts) assert.equal(isRetryable(said(text)), true, text)
})

test('what a server says that is on its way up, down or full passes', () => {
  const texts = [
    'psql: could not connect to server: Connection refused\n\tIs the server running on host "db" (192.0.2.1) and accepting\n\tTCP/IP connections on port 5432?',
    `psql: error: ${at} Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?`,
    `psql: error: ${at} FATAL:  the database system is starting up`,
    'psql: FATAL:  the database system is shutting down',
    `psql: error: ${at} FATAL:  the database system is not yet accepting connections`,
    `pg_dump: error: ${at} FATAL:  sorry, too many clients already`,
    `pg_dump: error: ${at} FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute`,
    'psql: error: FATAL:  too many connections for role "backup"',
    `FATAL:  terminating connection due to administrator command\n${cut}\nconnection to server was lost`,
    `WARNING:  terminating connection because of crash of another server process\n${cut}`,
    `psql: error: ${at} timeout expired`,
    'psql: error: could not translate host name "db.example.com" to address: Temporary failure in name resolution',
  ]
  for (const text of texts) assert.equal(isRetryable(said(text)), true, text)
})

test('conflicts pass: of a standby, of two transactions, of a dump with a DROP TABLE', () => {
  const texts = [
    'pg_dump: detail: Error message from server: ERROR:  canceling statement due to conflict with recovery',
    `pg_dump: error: query failed: FATAL:  terminating connection due to conflict with recovery\n${cut}`,
    'pg_dump: error: query failed: ERROR:  deadlock detected',
    'pg_dump: error: query failed: ERROR:  cache lookup failed for relation 16412',
    'pg_dump: error: query failed: ERROR:  could not open relation with OID 16412',
  ]
  for (const text of texts) assert.equal(isRetryable(said(text)), true, text)
})

test('what a server or a program says for good does not pass', () => {
  const texts = [
    `psql: error: ${at} FATAL:  password authentication failed for user "backup"`,
    'psql: FATAL:  database "shop" does not exist',
    `psql: error: ${at} FATAL:  no pg_hba.conf entry for host "198.51.100.7", user "app", database "shop", no encryption`,
    'psql: error: could not translate host name "db.invalid" to address: Name or service not known',
    `psql: error: ${at} server does not support SSL, but SSL was required`,
    'pg_dump: error: query failed: ERROR:  permission denied for table orders',
    'pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout',
    'pg_dump: error: aborting because of server version mismatch',
    'pg_dump: error: invalid page in block 3 of relation base/16384/16412',
    'pg_restore: error: could not execute query: ERROR:  could not create unique index "users_email_key"',
    'pg_restore: error: COPY failed for table "t": ERROR:  new row for relation "t" violates check constraint "c"',
    'pg_restore: error: could not execute query: ERROR:  could not extend file "base/5/1259": No space left on device',
    'pg_restore: error: could not execute query: ERROR:  type "public.geometry" does not exist',
    'pg_restore: error: unsupported version (1.16) in file header',
    `psql: error: ${at} FATAL:  unsupported startup parameter: options`,
    '',
  ]
  for (const text of texts) assert.equal(isRetryable(said(text)), false, text)
})

test('how a program ended: killed from outside passes, its own crash and a missing program do not', () => {
  const cases: [Partial<Exit>, boolean][] = [
    [{ code: null, signal: 'SIGKILL' }, true],
    [{ code: null, signal: 'SIGSEGV' }, false],
    [{ code: null, signal: 'SIGTERM' }, false],
    [{ code: null, error: new Error('spawn pg_dump ENOENT') }, false],
  ]
  for (const [exit, passes] of cases) assert.equal(isRetryable(said('', { ...ended, ...exit })), passes)
  assert.equal(isRetryable(awsSaid('', { ...ended, code: null, signal: 'SIGKILL' })), true)
})

test('a SQLSTATE decides, whatever the language of the server', () => {
  const passing = ['08000', '08006', '40001', '40P01', '53300', '57P01', '57P02', '57P03', '57P05']
  const lasting = ['23505', '28P01', '3D000', '42501', '53100', '53200', '55006', '57014', '57P04', '']
  for (const state of passing) assert.equal(isRetryable(new DatabaseError('Fehler', state)), true, state)
  for (const state of lasting) assert.equal(isRetryable(new DatabaseError(closed, state)), false, state)
})

test('what the AWS CLI says', () => {
  const error = (code: string, operation: string, more = '') =>
    `upload failed: - to s3://b/k An error occurred (${code}) when calling the ${operation} operation${more}: words`
  const passing = [
    // 1.45 and 2.x.
    error('SlowDown', 'UploadPart', ' (reached max retries: 5)'),
    error('503', 'HeadObject', ' (reached max retries: 4)'),
    error('InternalError', 'CompleteMultipartUpload'),
    error('ServiceUnavailable', 'PutObject'),
    error('RequestTimeout', 'UploadPart'),
    error('ThrottlingException', 'AssumeRoleWithWebIdentity'),
    error('BadDigest', 'UploadPart'),
    'download failed: s3://b/k to - Could not connect to the endpoint URL: "https://b.s3.amazonaws.com/k"',
    'download failed: s3://b/k to - Connection was closed before we received a valid response from endpoint URL: "https://x/"',
    'download failed: s3://b/k to - Read timeout on endpoint URL: "https://b.s3.amazonaws.com/k"',
    `download failed: s3://b/k to - ("Connection broken: ConnectionResetError(104, 'Connection reset by peer')", ConnectionResetError(104, 'Connection reset by peer'))`,
    "download failed: s3://b/k to - ('Connection broken: IncompleteRead(100 bytes read, 5242780 more expected)')",
    'download failed: s3://b/k to - Max Retries Exceeded',
    "upload failed: - to s3://b/k ('Connection aborted.', OSError(64, 'Host is down'))",
    'download failed: s3://b/k to - AWS_ERROR_HTTP_CONNECTION_CLOSED: The connection has closed or is closing.',
    'download failed: s3://b/k to - AWS_IO_SOCKET_TIMEOUT: socket operation timed out.',
  ]
  const lasting = [
    error('NoSuchKey', 'GetObject'),
    error('404', 'HeadObject'),
    error('403', 'HeadObject'),
    error('NoSuchBucket', 'CreateMultipartUpload'),
    error('AccessDenied', 'PutObject'),
    error('ExpiredToken', 'UploadPart'),
    error('InvalidAccessKeyId', 'ListObjectsV2'),
    error('SignatureDoesNotMatch', 'GetObject'),
    error('PermanentRedirect', 'GetObject'),
    error('RequestTimeTooSkewed', 'PutObject'),
    error('NotImplemented', 'PutObject'),
    error('PreconditionFailed', 'PutObject'),
    error('EntityTooLarge', 'UploadPart'),
    'Unable to locate credentials',
    'SSL validation failed for https://b.s3.amazonaws.com/ [SSL: CERTIFICATE_VERIFY_FAILED]',
    'An error it never had',
    '',
  ]
  for (const text of passing) assert.equal(isRetryable(awsSaid(text)), true, text)
  for (const text of lasting) assert.equal(isRetryable(awsSaid(text)), false, text)
})

test('the outermost error that knows decides', () => {
  const broken = said(`psql: error: ${closed}`)
  const cases: [unknown, boolean][] = [
    [new Error('Cannot connect to db/shop: the connection was cut', { cause: broken }), true],
    [new PermanentError('pre-swap-hooks "npm run migrate" failed', { cause: broken }), false],
    [new Error('a sentence', { cause: new PermanentError('a hook failed', { cause: broken }) }), false],
    [new TransientError('No byte moved for 600 s', { cause: said('ERROR:  permission denied') }), true],
    [new DatabaseError('Fehler', '42501'), false],
    [new Error('The manifest is not JSON'), false],
    [`psql: error: ${closed}`, false],
    [undefined, false],
  ]
  for (const [error, passes] of cases) assert.equal(isRetryable(error), passes, String(error))
})
