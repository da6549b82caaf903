import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { startS3 } from '../../../../lab/s3/s3.ts'
import { keyOf } from '../../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../../lab/temp.ts'
import { Aws, type AwsOptions } from '../../../../src/aws/cli.ts'
import { planParts } from '../../../../src/storage/s3/plan-parts.ts'
import { uploadArguments } from '../../../../src/storage/s3/upload.ts'
import { cli, noCli, s3Place } from '../s3-place.ts'

test('the arguments of an upload', () => {
  const plain = { storageClass: '', sse: '', sseKmsKeyId: '' }
  const target = 's3://b/k'
  const start = ['s3', 'cp', '-', target, '--only-show-errors', '--expected-size', '500']
  const cases: [Partial<typeof plain>, string[]][] = [
    [{}, []],
    [{ storageClass: 'STANDARD_IA' }, ['--storage-class', 'STANDARD_IA']],
    [{ sse: 'aws:kms', sseKmsKeyId: 'k' }, ['--sse', 'aws:kms', '--sse-kms-key-id', 'k']],
  ]
  for (const [changes, end] of cases) {
    const args = uploadArguments({ ...plain, ...changes }, target, planParts(500, 10_000))
    assert.deepEqual(args, [...start, ...end])
  }
})

const s3 = await startS3()
after(() => s3[Symbol.asyncDispose]())

const below = (prefix: string) => [...s3.objects().keys()].filter((key) => key.startsWith(prefix))
const key = keyOf('shop/app/none', 1).key

describe('a bucket', { concurrency: 2, skip: noCli }, () => {
  test('an aborted upload leaves nothing where every signal ends the CLI hard, as on Windows', async () => {
    const folder = tempFolder('aws')
    const program = join(folder.path, 'aws')
    // The interrupt arrives as what Node makes of it there.
    const script = [
      '#!/bin/bash',
      `'${cli!.path}' "$@" <&0 & upload=$!`,
      'trap "kill -KILL $upload" INT',
      'wait $upload; wait $upload',
    ]
    writeFileSync(program, script.join('\n'), { mode: 0o755 })
    const { storage } = s3Place(s3, 'hard/', { program })
    const sink = await storage.upload(key, 1 << 30)
    await new Promise((written) => sink.stream.write(Buffer.alloc(9 << 20), written))
    const open = () => s3.uploads().filter((upload) => upload.key.startsWith('hard/')).length
    while (open() === 0) await wait(20)
    await sink.abort()
    assert.deepEqual([below('hard/'), open()], [[], 0])
  })

  test('what a killed upload left is ended, for its key alone', async () => {
    const { storage } = s3Place(s3, 'abandon/')
    const other = s3.openUpload(`abandon/${key}.other`)
    s3.openUpload(`abandon/${key}`)
    s3.openUpload(`abandon/${key}`)
    await storage.abandon(key)
    const left = s3.uploads().filter((upload) => upload.key.startsWith('abandon/'))
    assert.deepEqual(left, [other])
  })

  test('a sweep ends uploads of dumps that no job can still be running, and nothing of another program', async () => {
    const { storage } = s3Place(s3, 'sweep/')
    const daysAgo = (days: number) => new Date(Date.now() - days * 864e5)
    s3.openUpload(`sweep/${key}`, daysAgo(6.1))
    const kept = [
      s3.openUpload(`sweep/${key}`, daysAgo(5)),
      s3.openUpload(`sweep/backups/mysql.dump`, daysAgo(30)),
      s3.openUpload(`sweep/deeper/${key}`, daysAgo(30)),
      s3.openUpload(`sweep/${key}.json`, daysAgo(30)),
      s3.openUpload(`sweep-eu/${key}`, daysAgo(30)),
    ]
    await storage.sweep()
    assert.deepEqual(
      s3.uploads().filter((upload) => upload.key.startsWith('sweep')),
      kept,
    )
    const unlisted = await startS3({ quirks: { noUploadListing: true } })
    after(() => unlisted[Symbol.asyncDispose]())
    await assert.rejects(s3Place(unlisted, 'sweep/').storage.sweep(), /NotImplemented/)
  })

  test('exactly the wanted texts are downloaded, also of more than one request can name', async () => {
    const { storage } = s3Place(s3, 'texts/')
    const keys = Array.from({ length: 250 }, (_, index) => `shop/app/none/${index}.dump.json`)
    // The others were deleted meanwhile.
    const there = [0, 199, 200, 249].map((index) => keys[index]!)
    for (const one of there) await s3.write(`texts/${one}`, `text of ${one}`)
    for (const other of ['shop/app/none/x.dump.json', 'shop/large.dump.json', `other/${there[0]}`])
      await s3.write(`texts/${other}`, 'of another program')
    const texts = await storage.readTexts(keys)
    assert.deepEqual(texts, new Map(there.map((one) => [one, `text of ${one}`])))
    const read = s3.requests
      .filter((request) => request.operation === 'GetObject' && request.key.startsWith('texts/'))
      .map((request) => request.key)
    assert.deepEqual(read.sort(), there.map((one) => `texts/${one}`).sort())
  })

  test('a location with characters of patterns is no pattern', async () => {
    const { storage } = s3Place(s3, 'what[is]this*/')
    const keys = [1, 2].map((day) => `${keyOf('shop/app/none', day).key}.json`)
    for (const one of keys) await s3.write(`what[is]this*/${one}`, one)
    await s3.write('what[is]this*/large.dump', 'x')
    assert.deepEqual([...(await storage.readTexts(keys)).keys()].sort(), keys)
    assert.ok(!s3.requests.some((request) => request.key.endsWith('*/large.dump')))
  })

  test('#36 a listing that says it goes on and not where is refused', async () => {
    const silent = await startS3({ quirks: { noContinuation: true } })
    after(() => silent[Symbol.asyncDispose]())
    await silent.write(`silent/${key}`, 'x')
    await assert.rejects(
      s3Place(silent, 'silent/').storage.list(''),
      /did not say where its listing continues/,
    )
  })

  test('more objects than one request can name are deleted, and no others', async () => {
    const keys = Array.from({ length: 1001 }, (_, index) => `shop/app/none/${index}.dump`)
    for (const one of [...keys, 'shop/app/none/other.dump']) await s3.write(`many/${one}`, 'x')
    const removal = await s3Place(s3, 'many/').storage.removeAll(keys)
    assert.deepEqual([...removal.refused], [])
    assert.deepEqual(below('many/'), ['many/shop/app/none/other.dump'])
    const batches = s3.requests.flatMap(({ deleted }) => (deleted?.[0]?.startsWith('many/') ? [deleted] : []))
    assert.deepEqual(
      batches.map(({ length }) => length),
      [1000, 1],
    )
  })

  test('a store that deletes one object at a time says of each why it stays', async () => {
    const quirks = { noMultiDelete: true, versions: true, locked: /locked/, undeletable: /denied/ }
    const single = await startS3({ quirks })
    after(() => single[Symbol.asyncDispose]())
    const keys = ['plain.dump', 'locked.dump', 'denied.dump']
    for (const one of keys) await single.write(`single/${one}`, 'x')
    const { refused, versionsStay } = await s3Place(single, 'single/').storage.removeAll(keys)
    const retained = [...refused].map(([one, refusal]) => [one, refusal.retained])
    assert.deepEqual(Object.fromEntries(retained), { 'locked.dump': true, 'denied.dump': false })
    for (const { reason } of refused.values()) assert.match(reason, /AccessDenied/)
    assert.equal(versionsStay, true)
    assert.deepEqual([...single.objects().keys()], ['single/locked.dump', 'single/denied.dump'])
  })

  test('forbidden is an error, and never an empty answer', async () => {
    const stranger = s3Place(s3, 'absent/', { config: { AWS_SECRET_ACCESS_KEY: 'wrong' } }).storage
    await assert.rejects(stranger.list(''), /signature was rejected; check AWS_SECRET_ACCESS_KEY/)
  })

  test('a HEAD that says 403 is absent only when a listing says so too', async () => {
    const policy = await startS3({ quirks: { hideAbsent: true } })
    after(() => policy[Symbol.asyncDispose]())
    await policy.write(`there/${key}.json`, 'longer')
    const look = (bucket: string) => s3Place(policy, 'there/', { options: { bucket } }).storage.size(key)
    assert.equal(await look(policy.bucket), null)
    await policy.write(`there/${key}`, 'x')
    const denied = { type: 'error', status: 403, code: 'AccessDenied' } as const
    policy.fault({ operation: 'HeadObject', times: 9, action: denied })
    await assert.rejects(look(policy.bucket), /s3:GetObject .*or the object does not exist and s3:ListBucket/)
    await policy.remove(`there/${key}`)
    policy.fault({ operation: 'ListObjectsV2', times: 9, action: denied })
    await assert.rejects(look(policy.bucket), /s3:ListBucket is missing \[403 in HeadObject\]/)
  })

  test('a manifest that the CLI wrote twice, because an answer was lost, is ours', async () => {
    const { storage } = s3Place(s3, 'twice/')
    const lost = { type: 'call', run: () => s3.write(`twice/${key}.json`, 'mine') } as const
    s3.fault({ operation: 'PutObject', key: 'twice/', action: lost })
    await storage.writeTextOnce(`${key}.json`, 'mine')
    assert.equal((await s3.read(`twice/${key}.json`)).toString(), 'mine')
  })

  test('more than the parts of an upload hold is refused by us, before the store does', async () => {
    const { storage } = s3Place(s3, 'full/', { options: { maxParts: 2 } })
    const sink = await storage.upload(key, 1)
    const failure = once(sink.stream, 'error')
    for (let mebibytes = 0; mebibytes < 17; mebibytes += 1) sink.stream.write(Buffer.alloc(1 << 20))
    const [error] = (await failure) as [Error]
    assert.match(error.message, /larger than the 16.8 MB that its upload can take \(2 parts of 8.4 MB\)/)
    await sink.abort()
    assert.deepEqual(below('full/'), [])
  })

  test('an upload that the store refuses says why', async () => {
    s3.fault({
      operation: 'PutObject',
      key: 'refused/',
      times: 99,
      action: { type: 'error', status: 403, code: 'AccessDenied' },
    })
    const { storage } = s3Place(s3, 'refused/')
    const sink = await storage.upload(key, 10)
    sink.stream.write('some bytes')
    await assert.rejects(
      sink.commit(),
      /aws s3 cp \(upload\) failed \(exit code 1\): access denied.*\[AccessDenied/,
    )
    assert.match((await sink.died).message, /access denied/)
    await sink.abort()
    assert.deepEqual(below('refused/'), [])
  })

  test('a likely program that is not the right one is ended, and its answer does not count', async () => {
    const folder = tempFolder().path
    const likely = join(folder, 'aws')
    writeFileSync(likely, `#!/bin/sh\necho $$ >> ${folder}/pids\necho wrong\nexec sleep 60\n`, {
      mode: 0o755,
    })
    await s3.write(`likely/${key}`, 'right')
    const place = () => s3Place(s3, 'likely/', { likely }).storage
    assert.equal(await place().size(key), 'right'.length)
    const source = await place().download(key)
    assert.equal(String(await buffer(source.stream)), 'right')
    await source.finish()
    const sink = await place().upload(`${key}.other`, 10)
    sink.stream.write('right')
    await sink.commit()
    assert.equal(String(await s3.read(`likely/${key}.other`)), 'right')
    const pids = readFileSync(join(folder, 'pids'), 'utf8').trim().split('\n')
    assert.equal(pids.length, 3)
    for (const pid of pids) assert.throws(() => process.kill(Number(pid), 0), /ESRCH/)
  })

  test('a download that breaks is no end of file', async () => {
    await s3.write(`cut/${key}`, Buffer.alloc(4 << 20))
    s3.fault({ operation: 'GetObject', key: 'cut/', times: 99, action: { type: 'reset', after: 1 << 20 } })
    const { storage } = s3Place(s3, 'cut/')
    const source = await storage.download(key)
    await buffer(source.stream)
    await assert.rejects(source.finish(), /aws s3 cp \(download\) failed/)
  })
})

/** A program that shows what it was given, in the place of the AWS CLI. */
function mirror(): string {
  const path = join(tempFolder().path, 'aws')
  writeFileSync(path, '#!/bin/sh\nenv\n', { mode: 0o755 })
  return path
}

async function seenBy(options: Pick<AwsOptions, 'environment' | 'config' | 'region' | 'identity'>) {
  const signal = new AbortController().signal
  const aws = new Aws({ cli: mirror(), ...options, endpointUrl: null, checksum: 'when_supported', signal })
  const lines = (await aws.text([])).trim().split('\n')
  const seen = Object.fromEntries(lines.map((line) => line.split('=')))
  for (const name of ['PWD', '_', 'SHLVL', 'OLDPWD']) delete seen[name]
  return seen
}

const JOB = {
  PATH: process.env.PATH,
  AWS_ACCESS_KEY_ID: 'of-the-job',
  AWS_PROFILE: 'job',
  HTTPS_PROXY: 'http://proxy',
  PGPASSWORD: 'canary',
  'INPUT_DATABASE-URL': 'canary',
  LD_PRELOAD_OF_NOBODY: 'canary',
  AWS_PAGER: 'less',
}

const ALWAYS = {
  PATH: process.env.PATH,
  LC_ALL: 'C',
  HTTPS_PROXY: 'http://proxy',
  AWS_MAX_ATTEMPTS: '6',
  AWS_PAGER: '',
  AWS_CLI_AUTO_PROMPT: 'off',
  AWS_REQUEST_CHECKSUM_CALCULATION: 'when_supported',
  AWS_RESPONSE_CHECKSUM_VALIDATION: 'when_supported',
}

test('the AWS CLI sees its own variables and no others', async () => {
  const config = { AWS_ACCESS_KEY_ID: 'of-the-input' }
  const seen = await seenBy({ environment: JOB, config, region: 'auto', identity: null })
  const region = { AWS_REGION: 'auto', AWS_DEFAULT_REGION: 'auto' }
  assert.deepEqual(seen, { ...ALWAYS, ...region, AWS_ACCESS_KEY_ID: 'of-the-input', AWS_PROFILE: 'job' })
})

test('a role takes the place of all other credentials', async () => {
  const config = {
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_SESSION_TOKEN: 'x',
    AWS_CONFIG_FILE: 'x',
    AWS_CA_BUNDLE: 'ca',
  }
  const identity = { AWS_ROLE_ARN: 'role', HOME: '/private' }
  const seen = await seenBy({ environment: { ...JOB, HOME: '/home' }, config, region: null, identity })
  assert.deepEqual(seen, { ...ALWAYS, AWS_CA_BUNDLE: 'ca', ...identity })
})
