import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import type { Inputs } from '../../../src/inputs/inputs.ts'
import { readInputs } from '../../../src/inputs/read-inputs.ts'
import { crossInputProblems, inputNotices, inputWarnings } from '../../../src/inputs/rules.ts'

const connection = parseDatabaseUrl('postgres://host/db')
const plain: Inputs = { ...readInputs({ INPUT_COMMAND: 'list' }), connection, connectionFrom: 'database-url' }
const setOf = (inputs: NonNullable<Inputs['namedSet']>['inputs']) => ({ file: 'f.yml', name: 'set', inputs })
const twoDatabases = { sourceConnection: parseDatabaseUrl('postgres://host/source') }
const bucket = { kind: 's3', bucket: 'backups', prefix: '' } as const

test('what one input demands of another', () => {
  const fine: Partial<Inputs>[] = [
    {},
    { command: 'dump' },
    { command: 'list', connection: null, connectionFrom: 'environment' },
    { command: 'restore', dumpKey: 'latest' },
    { command: 'restore', dumpKey: 'shop/app/' },
    { command: 'restore', dumpKey: 'shop/app/none/2026-11-01-02-00-00-000000.dump' },
    { command: 'restore', dumpKey: 'latest', reversible: true, tolerateErrors: [/x/] },
    { s3Sse: 'aws:kms', s3SseKmsKeyId: 'key' },
    { command: 'dump', mask: 'm.yml', maskKey: 'k', largeObjects: 'keep', leakScan: false },
    { command: 'restore', dumpKey: 'latest', requireMasked: true },
    { command: 'copy', ...twoDatabases, mask: 'm.yml', requireMasked: true },
    // A set serves several commands.
    { mask: 'm.yml', maskKey: 'k', namedSet: setOf({ mask: 'm.yml', 'mask-key': 'k' }) },
    { requireMasked: true, namedSet: setOf({ 'require-masked': 'true' }) },
    { s3Sse: 'aws:kms:dsse', s3SseKmsKeyId: 'key' },
  ]
  for (const changes of fine) {
    assert.deepEqual(crossInputProblems({ ...plain, ...changes }), [], JSON.stringify(changes))
  }
  const wrong: [Partial<Inputs>, RegExp][] = [
    [{ command: 'dump', connection: null, connectionFrom: 'environment' }, /^database-url is missing/],
    [
      {
        ...{ command: 'dump', connectionFrom: 'environment' },
        connection: { variables: { PGPORT: '99999' }, database: 'db', label: '' },
      },
      /^database-url is not set, and PGPORT of the job is "99999", not a number/,
    ],
    [{ command: 'restore' }, /^dump-key is missing/],
    [{ command: 'restore', dumpKey: '../other' }, /^dump-key has an empty part/],
    [{ command: 'restore', dumpKey: '/etc/passwd' }, /^dump-key starts with \//],
    [{ command: 'list', dumpKey: 'a\\b' }, /^dump-key contains a backslash/],
    [
      {
        ...readInputs({ INPUT_COMMAND: 'prune', 'INPUT_KEEP-LAST': '1' }),
        dumpKey: 'shop/app/none/2026-01-02-03-04-05-000000.dump.age',
      },
      /^dump-key names a single dump; for prune/,
    ],
    [{ s3SseKmsKeyId: 'key' }, /^s3-sse-kms-key-id needs s3-sse: aws:kms/],
    [{ s3SseKmsKeyId: 'key', s3Sse: 'AES256' }, /^s3-sse-kms-key-id needs/],
    [
      { awsRole: 'arn:aws:iam::123456789012:role/backup', s3Config: { AWS_ACCESS_KEY_ID: 'AKIA' } },
      /^aws-role-to-assume and AWS_ACCESS_KEY_ID in s3-config are both set/,
    ],
    [{ reversible: true, swap: false }, /^reversible requires swap: true/],
    [{ tolerateErrors: [/x/], swap: false }, /^tolerate-errors requires swap: true/],
    [
      { command: 'restore', dumpKey: ':pre', createRoles: true },
      /^create-roles cannot be used with a database/,
    ],
    [{ command: 'drop', olderThan: 1000 }, /^databases is missing; older-than and/],
    [{ command: 'drop', closedPullRequests: true }, /^databases is missing/],
    ...['preview_1', '*_*', 'a\\**'].map((pattern): [Partial<Inputs>, RegExp] => [
      { command: 'drop', closedPullRequests: true, databases: ['p*', pattern] },
      /^databases has the pattern ".*", which needs exactly one \* with closed-pull-requests/,
    ]),
    [{ expiresAfter: 1000, swap: false }, /^expires-after requires swap: true/],
    [{ expiresAfter: 1000, disposable: false }, /^expires-after requires disposable: true/],
    [{ mask: 'm.yml' }, /^mask has no effect with command: list.*require-masked: true/],
    [{ requireMasked: true }, /^require-masked has no effect with command: list/],
    [{ maskKey: 'k' }, /^mask-key needs mask/],
    [{ largeObjects: 'keep' }, /^large-objects needs mask/],
    [{ leakScan: false }, /^leak-scan needs mask/],
    [
      { command: 'copy', ...twoDatabases, requireMasked: true },
      /^require-masked: true refuses this copy, .*set mask/,
    ],
    [
      { command: 'restore', dumpKey: ':pre', requireMasked: true },
      /^require-masked: true refuses dump-key: :pre, a database of the server/,
    ],
  ]
  for (const [changes, sentence] of wrong) {
    const problems = crossInputProblems({ ...plain, ...changes })
    assert.equal(problems.length, 1, JSON.stringify(changes))
    assert.match(problems[0]!, sentence)
  }
})

test('a wrong URL is not missing as well', () => {
  const problems = crossInputProblems({
    ...plain,
    command: 'dump',
    connection: null,
    connectionFrom: 'database-url',
  })
  assert.deepEqual(problems, [])
})

test('what is allowed and probably not meant', () => {
  const cases: [Partial<Inputs>, RegExp | null][] = [
    [{}, null],
    [{ location: bucket, s3EndpointUrl: 'http://minio.example.com' }, /plain http/],
    [{ location: bucket, s3EndpointUrl: 'http://localhost:9000', s3StorageClass: 'STANDARD_IA' }, null],
    [{ s3StorageClass: 'STANDARD_IA' }, /have no effect.*folder/],
    [{ s3Sse: 'AES256' }, /have no effect.*folder/],
    [{ command: 'dump', dumpKey: 'latest' }, /dump-key has no effect/],
    [{ command: 'dump', connectionFrom: 'environment' }, /PG\* variables of the job determine/],
    [{ command: 'list', connectionFrom: 'environment' }, null],
    [{ globals: true }, /globals has no effect with command: list/],
    [{ createRoles: true }, /create-roles has no effect with command: list/],
    [{ databases: ['preview_*'] }, /databases has no effect with command: list/],
    [{ command: 'drop', databases: ['preview_*'] }, null],
    [{ expiresAfter: 1000 }, /expires-after has no effect with command: list/],
    [{ command: 'copy', expiresAfter: 1000 }, null],
  ]
  for (const [changes, warning] of cases) {
    const warnings = inputWarnings({ ...plain, ...changes })
    assert.equal(warnings.length, warning ? 1 : 0, JSON.stringify(changes))
    if (warning) assert.match(warnings[0]!, warning)
  }
})

test('parameters of frameworks that were left out are one notice', () => {
  const left = parseDatabaseUrl('postgres://host/db?schema=public&pool=5')
  const copy = { ...plain, command: 'copy', connection: left, sourceConnection: left } as const
  const said = inputNotices(copy)
  assert.equal(said.length, 1)
  assert.match(said[0]!, /left out: schema, pool \(database-url\); schema, pool \(source-database-url\)/)
  assert.deepEqual(inputNotices({ ...copy, command: 'prune' }), [])
  assert.deepEqual(inputNotices(plain), [])
})
