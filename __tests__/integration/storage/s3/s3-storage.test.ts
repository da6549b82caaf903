import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { startS3 } from '../../../../lab/s3/s3.ts'
import { keyOf } from '../../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../../lab/temp.ts'
import { Aws, type AwsOptions } from '../../../../src/aws/cli.ts'
import { planParts } from '../../../../src/storage/s3/parts.ts'
import { s3Storage } from '../../../../src/storage/s3/s3-storage.ts'
import { type S3Options, uploadArguments } from '../../../../src/storage/s3/upload.ts'
import { findAwsClis } from '../../../../src/tools/aws/aws-search.ts'
import { currentEnvironment } from '../../../../src/tools/options.ts'

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

const clis = await findAwsClis(currentEnvironment())
const cli = clis.find(({ supportsConditionalPut }) => supportsConditionalPut) ?? clis[0]
const s3 = await startS3()
after(() => s3[Symbol.asyncDispose]())

/** A storage of its own for each test: below a prefix, so that they can run side by side. */
function place(
  prefix: string,
  changes: Partial<S3Options> = {},
  config: Record<string, string> = {},
  endpointUrl = s3.endpoint,
  program = cli!.path,
) {
  const temp = tempFolder()
  const aws = new Aws({
    cli: program,
    environment: { PATH: process.env.PATH, HOME: temp.path, AWS_ACCESS_KEY_ID: 'of-the-job' },
    config: { ...s3.env, ...config },
    endpointUrl,
    checksum: 'when_required',
    region: null,
    identity: null,
    signal: new AbortController().signal,
  })
  const conditionalPut = cli!.supportsConditionalPut
  const plain = { storageClass: '', sse: '', sseKmsKeyId: '', maxParts: 10_000, tempDirectory: temp.path }
  const storage = s3Storage({ ...plain, aws, bucket: s3.bucket, prefix, conditionalPut, ...changes })
  return { storage, leftovers: () => readdirSync(temp.path).filter((name) => name.startsWith('pgclone')) }
}

const below = (prefix: string) => [...s3.objects().keys()].filter((key) => key.startsWith(prefix))
const key = keyOf('shop/app/none', 1).key

describe('a bucket', { concurrency: 2, skip: cli ? false : 'no AWS CLI on this machine' }, () => {
  test('a dump appears with its commit, and comes out as it went in', async () => {
    const { storage } = place('commit/')
    const bytes = Buffer.alloc(9 << 20, 'some bytes')
    const sink = await storage.upload(key, bytes.length)
    await new Promise((written) => sink.stream.write(bytes, written))
    assert.equal(s3.objects().has(`commit/${key}`), false)
    await sink.commit()
    assert.deepEqual(await s3.read(`commit/${key}`), bytes)
    assert.deepEqual(
      s3.uploads().filter((upload) => upload.key.startsWith('commit/')),
      [],
    )
    const [size, source] = await Promise.all([storage.size(key), storage.download(key)])
    assert.equal(size, bytes.length)
    assert.deepEqual(await buffer(source.stream), bytes)
    await source.finish()
  })

  test('an aborted upload leaves no object and no part', async () => {
    const { storage } = place('abort/')
    const sink = await storage.upload(key, 1 << 30)
    await new Promise((written) => sink.stream.write(Buffer.alloc(20 << 20), written))
    await sink.abort()
    assert.deepEqual(below('abort/'), [])
    assert.deepEqual(
      s3.uploads().filter((upload) => upload.key.startsWith('abort/')),
      [],
    )
  })

  test('so does one that is ended hard, as every signal ends it on Windows', async () => {
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
    const { storage } = place('hard/', {}, {}, s3.endpoint, program)
    const sink = await storage.upload(key, 1 << 30)
    await new Promise((written) => sink.stream.write(Buffer.alloc(20 << 20), written))
    const open = () => s3.uploads().filter((upload) => upload.key.startsWith('hard/')).length
    while (open() === 0) await wait(20)
    await sink.abort()
    assert.deepEqual([below('hard/'), open()], [[], 0])
  })

  test('what a killed upload left is ended, for its key alone', async () => {
    const { storage } = place('abandon/')
    const other = s3.openUpload(`abandon/${key}.other`)
    s3.openUpload(`abandon/${key}`)
    s3.openUpload(`abandon/${key}`)
    await storage.abandon(key)
    const left = s3.uploads().filter((upload) => upload.key.startsWith('abandon/'))
    assert.deepEqual(left, [other])
  })

  const unconditional = cli?.supportsConditionalPut ? false : 'this AWS CLI has no conditional writes'
  test('a text is published once, by the first who comes', { skip: unconditional }, async () => {
    const { storage, leftovers } = place('once/')
    const outcomes = await Promise.allSettled(
      ['one', 'two'].map((text) => storage.writeTextOnce(`${key}.json`, text)),
    )
    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
    const loser = outcomes[1 - winner] as PromiseRejectedResult
    assert.match(loser.reason.message, /exists already; another run wrote it/)
    assert.equal((await s3.read(`once/${key}.json`)).toString(), ['one', 'two'][winner])
    assert.deepEqual(leftovers(), [])
  })

  test('without conditional writes, a look before must do', async () => {
    const { storage } = place('look/', { conditionalPut: false })
    await storage.writeTextOnce('new.json', 'one')
    await s3.write('look/old.json', 'one')
    await assert.rejects(storage.writeTextOnce('old.json', 'two'), /exists already/)
    for (const name of ['new', 'old']) assert.equal((await s3.read(`look/${name}.json`)).toString(), 'one')
  })

  test('a listing has all its pages, and whole parts only', async () => {
    const keys = Array.from({ length: 5 }, (_, index) => keyOf('shop/app/none', index + 1).key)
    for (const one of keys) await s3.write(`pages/${one}`, 'x')
    for (const one of ['pages/shop-eu/a.dump', 'pages-2/shop/b.dump']) await s3.write(one, 'x')
    await s3.write('pages/shop/ü n&d+.txt', 'xyz')
    const { storage } = place('pages/')
    s3.quirks.pageSize = 2
    const [all, shop] = await Promise.all([storage.list(''), storage.list('shop/')])
    delete s3.quirks.pageSize
    const expected = [...keys.map((one) => ({ key: one, size: 1 })), { key: 'shop/ü n&d+.txt', size: 3 }]
    assert.deepEqual(shop, expected)
    assert.equal(all.length, expected.length + 1)
    assert.deepEqual(await storage.list('sho'), [])
  })

  test('many texts come in one go, few one by one', async () => {
    const keys = [1, 2, 3, 4].map((day) => `${keyOf('shop/app/none', day).key}.json`)
    for (const one of keys) await s3.write(`texts/${one}`, `text of ${one}`)
    await s3.write('texts/shop/app/none/notes.dump.json', 'not asked for')
    const { storage, leftovers } = place('texts/')
    for (const [wanted, prefix] of [
      [keys.slice(1), 'shop/app'],
      [keys.slice(0, 1), ''],
    ] as const) {
      const texts = await storage.readTexts(wanted, prefix)
      assert.deepEqual(texts, new Map(wanted.map((one) => [one, `text of ${one}`])))
    }
    assert.deepEqual(leftovers(), [])
  })

  test('absent is null, and forbidden is an error and never an empty answer', async () => {
    const { storage } = place('absent/')
    assert.equal(await storage.size(key), null)
    assert.deepEqual(await storage.list(''), [])
    const stranger = place('absent/', {}, { AWS_SECRET_ACCESS_KEY: 'wrong' }).storage
    await Promise.all([
      assert.rejects(stranger.list(''), /signature was rejected; check AWS_SECRET_ACCESS_KEY/),
      assert.rejects(stranger.size(key), /403|forbidden/),
      assert.rejects(stranger.check(), /SignatureDoesNotMatch/),
      assert.rejects(
        place('x/', { bucket: 'nobody-has-it' }).storage.check(),
        /bucket of storage-location does not exist/,
      ),
    ])
  })

  test('a HEAD that says 403 is absent only when a listing says so too', async () => {
    const policy = await startS3({ quirks: { hideAbsent: true } })
    after(() => policy[Symbol.asyncDispose]())
    await policy.write(`there/${key}.json`, 'longer')
    const look = (bucket: string) =>
      place('there/', { bucket }, policy.env, policy.endpoint).storage.size(key)
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
    const { storage } = place('twice/')
    const lost = { type: 'call', run: () => s3.write(`twice/${key}.json`, 'mine') } as const
    s3.fault({ operation: 'PutObject', key: 'twice/', action: lost })
    await storage.writeTextOnce(`${key}.json`, 'mine')
    assert.equal((await s3.read(`twice/${key}.json`)).toString(), 'mine')
  })

  test('more than the parts of an upload hold is refused by us, before the store does', async () => {
    const { storage } = place('full/', { maxParts: 2 })
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
    const { storage } = place('refused/')
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

  test('a download that breaks is no end of file', async () => {
    await s3.write(`cut/${key}`, Buffer.alloc(4 << 20))
    s3.fault({ operation: 'GetObject', key: 'cut/', times: 99, action: { type: 'reset', after: 1 << 20 } })
    const { storage } = place('cut/')
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
