import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, beforeEach, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { toConfig } from '../../../lab/s3/s3.ts'
import { type Sts, startSts } from '../../../lab/s3/sts.ts'

const ROLE = 'arn:aws:iam::123456789012:role/backup'

let bench: Bench

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('shop')
  await bench.postgres.psql('shop', 'create table numbers as select generate_series(1, 1000) as n')
})
beforeEach(() => bench.s3.heal())
after(() => bench?.[Symbol.asyncDispose]())

function asRole(place: Sts, more: Inputs): Inputs {
  const config = { ...place.env, AWS_EC2_METADATA_DISABLED: 'true', AWS_MAX_ATTEMPTS: '1' }
  return {
    'aws-role-to-assume': ROLE,
    'aws-region': 'us-east-1',
    's3-config': toConfig(config),
    retries: '1',
    ...more,
  }
}

// With a duration, another AWS CLI reads the token from the folder at every request.
const failures: ['dump' | 'restore', string, string, Inputs][] = [
  ['dump', 'PutObject', 'after the role was opened', {}],
  ['restore', 'ListObjectsV2', 'in which the role is opened', { 'aws-role-duration': '1h' }],
]

// The restore takes the dump that the first step made.
for (const [command, operation, moment, more] of failures)
  test(`#45 a role survives a failed attempt to ${command}, ${moment} (${Object.keys(more)})`, async () => {
    const { postgres, s3, folder } = bench
    await using place = await startSts({ s3, role: ROLE })
    const error = { type: 'error', status: 503, code: 'SlowDown' } as const
    s3.fault({ operation, times: 1, action: error })
    const inputs = asRole(place, { ...more, ...(command === 'restore' && { 'dump-key': 'latest' }) })
    const run = succeeded(await bench.run(command, 's3', 'shop', inputs, { env: place.jobEnv }))
    assert.match(run.log, /Attempt 1 of 2 failed with a transient error/)
    assert.doesNotMatch(run.log, /Removed what the step left behind: the temporary file/)
    assert.deepEqual(
      readdirSync(run.runnerTemp).filter((name) => name.startsWith('pgclone-')),
      [],
    )
    await assertNothingLeft({ run, postgres, s3, folder, databases: ['shop', 'postgres'] })
  })
