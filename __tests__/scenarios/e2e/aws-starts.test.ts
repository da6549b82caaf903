/**
 * Each start of the AWS CLI takes most of a second, so what does not depend on another answer is asked at once. A program in
 * front of the real AWS CLI shows it by the order of starts and ends.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { type AwsCall, inARow, recordingAws, type Together } from '../../../lab/recording-aws.ts'
import { type ActionRun, runAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { until } from '../../../lab/until.ts'
import { findAwsClis } from '../../../src/tools/aws/aws-search.ts'
import { currentEnvironment } from '../../../src/tools/options.ts'

const [cli] = await findAwsClis(currentEnvironment())
const skip = cli ? false : 'no AWS CLI on this machine'

let bench: Bench
const keys: string[] = []
before(async () => {
  if (!cli) return
  bench = await startBench()
  await bench.postgres.createDatabase('shop')
  await bench.postgres.psql('shop', 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS id')
  for (let day = 1; day <= 3; day += 1) keys.push(await bench.dump('s3', 'shop'))
})
after(() => bench?.[Symbol.asyncDispose]())

type Recorded = { run: ActionRun; calls: AwsCall[]; find: (what: string) => AwsCall }

/** Runs a step with the AWS CLI where the official installer puts it, or elsewhere. */
async function record(
  [command, database, inputs]: ['dump' | 'restore' | 'list', string, Record<string, string>],
  together: readonly Together[],
  official = true,
): Promise<Recorded> {
  await using aws = recordingAws(cli!, { official, together })
  const run = await runAction(bench.inputs(command, 's3', database, inputs), { env: { PATH: aws.path } })
  const calls = aws.calls()
  const find = (what: string) => {
    const found = calls.filter((call) => call.what === what)
    assert.equal(found.length, 1, `${what} in ${JSON.stringify(calls)}`)
    return found[0]!
  }
  await assertNothingLeft({ run, postgres: bench.postgres, s3: bench.s3 })
  return { run, calls, find }
}

test('a restore by full key asks for manifest and data at once, and for nothing else', { skip }, async () => {
  const together = [{ calls: ['s3 cp'], count: 2 }]
  const { run, calls, find } = await record(['restore', 'by_key', { 'dump-key': keys[0]! }], together)
  succeeded(run)
  for (const what of ['s3 cp manifest', 's3 cp data']) assert.equal(inARow(calls, find(what)), 1, what)
  assert.equal(calls.length, 2)
  assert.equal(await bench.postgres.psql('by_key', 'SELECT count(*) FROM t'), '1000')
})

test('an AWS CLI says its version while the dump is looked for', { skip }, async () => {
  const together = [{ calls: ['--version', 's3 cp'], count: 3 }]
  const dumpKey = { 'dump-key': keys[0]! }
  const { run, calls, find } = await record(['restore', 'by_pip', dumpKey], together, false)
  succeeded(run)
  for (const what of ['--version', 's3 cp manifest', 's3 cp data'])
    assert.equal(inARow(calls, find(what)), 1, what)
})

test('a restore of the latest downloads it beside the manifests', { skip }, async () => {
  const together = [{ calls: ['s3 cp'], count: 2 }]
  const { run, calls, find } = await record(['restore', 'newest', { 'dump-key': 'latest' }], together)
  assert.equal(succeeded(run).outputs['dump-key'], keys.at(-1))
  assert.equal(inARow(calls, find('s3api list-objects-v2')), 1)
  assert.equal(inARow(calls, find('s3 cp manifest')), 2)
  assert.equal(inARow(calls, find('s3 cp data')), 2)
})

test('a newest dump that was cut is downloaded in vain, and the one before it is restored', {
  skip,
}, async () => {
  const cut = `nightly/${keys.at(-1)}`
  const whole = await bench.s3.read(cut)
  await bench.s3.write(cut, whole.subarray(0, 100))
  const together = [{ calls: ['s3 cp'], count: 2 }]
  const { run, calls } = await record(['restore', 'older', { 'dump-key': 'latest' }], together)
  await bench.s3.write(cut, whole)
  assert.equal(succeeded(run).outputs['dump-key'], keys.at(-2))
  assert.equal(calls.filter(({ what }) => what === 's3 cp data').length, 2)
})

test('a target that may not be replaced ends the download, and a missing dump is named first', {
  skip,
}, async () => {
  await bench.postgres.createDatabase('kept')
  await bench.postgres.psql('kept', 'CREATE TABLE mine AS SELECT 1 AS id')
  const together = [{ calls: ['s3 cp'], count: 2 }]
  const refusing = { 'dump-key': keys[0]!, overwrite: 'false' }
  const { run, calls } = await record(['restore', 'kept', refusing], together)
  failed(run, /overwrite/)
  assert.ok(calls.some(({ what }) => what === 's3 cp data'))
  const missing = { ...refusing, 'dump-key': keys[0]!.replace(/\d{6}\.dump$/, '000000.dump') }
  failed((await record(['restore', 'kept', missing], together)).run, /There is no dump s3:/)
  assert.equal(await bench.postgres.psql('kept', 'SELECT id FROM mine'), '1')
})

test('the store is asked about the data when it is not as its manifest says', { skip }, async () => {
  const data = `nightly/${keys[0]}`
  const whole = await bench.s3.read(data)
  const cases: [() => Promise<void>, RegExp][] = [
    [
      () => bench.s3.write(data, whole.subarray(0, 100)),
      /is not sound: it has 100 bytes .*target is unchanged/,
    ],
    [() => bench.s3.remove(data), /There is no dump s3:.*target is unchanged/],
  ]
  for (const [damage, says] of cases) {
    await damage()
    failed(await bench.run('restore', 's3', 'damaged', { 'dump-key': keys[0]! }), says)
  }
  await bench.s3.write(data, whole)
})

test('a cancel ends what was started at once', { skip }, async () => {
  const together = [{ calls: ['s3 cp'], count: 3 }]
  await using aws = recordingAws(cli!, { official: true, together })
  const env = { PATH: aws.path }
  const action = bench.start('restore', 's3', 'cancelled', { 'dump-key': keys[0]! }, { env })
  await until(() => aws.calls().length === 2, 'two starts')
  action.signal('SIGINT')
  const run = await action.done
  failed(run, /The step was cancelled/)
  await assertNothingLeft({ run, postgres: bench.postgres, s3: bench.s3 })
})

test('a dump checks the store while the upload starts, and asks once more after its last byte', {
  skip,
}, async () => {
  const previous = `s3://${bench.s3.bucket}/nightly/${keys.at(-1)}.json`
  const together = [
    { calls: ['s3api list-objects-v2', 's3 cp -'], count: 2 },
    // The manifest of the dump before is read meanwhile, and nothing waits for it.
    { calls: [`s3 cp ${previous}`, 's3api put-object', 's3api head-object'], count: 3 },
  ]
  const { run, calls, find } = await record(['dump', 'shop', {}], together)
  succeeded(run)
  const upload = find('s3 cp data')
  assert.equal(inARow(calls, upload), 1)
  assert.equal(inARow(calls, find('s3api list-objects-v2')), 1)
  const afterwards = calls.filter(({ started }) => started > upload.ended)
  assert.ok(find('s3 cp manifest').ended > find('s3api put-object manifest').started)
  // An older AWS CLI cannot make the store refuse a second manifest, so it looks for one first.
  const looks = cli!.supportsConditionalPut ? [] : ['s3api head-object manifest']
  assert.deepEqual(afterwards.map(({ what }) => what).sort(), [
    's3api head-object data',
    ...looks,
    's3api put-object manifest',
  ])
  for (const call of afterwards) assert.ok(inARow(afterwards, call) <= 1 + looks.length)
  assert.equal(calls.length, 5 + looks.length)
})
