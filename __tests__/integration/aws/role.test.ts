import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { freePort } from '../../../lab/port.ts'
import { runAction, runPost, startAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import type { S3Request } from '../../../lab/s3/request.ts'
import { toConfig } from '../../../lab/s3/s3.ts'
import { type Sts, type StsOptions, startSts } from '../../../lab/s3/sts.ts'
import { until } from '../../../lab/until.ts'

const ROLE = 'arn:aws:iam::123456789012:role/backup'

let bench: Bench
/** Of the dump that the first test makes. */
let key: string
before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('shop')
  // More than 9 MB without compression: two parts.
  await bench.postgres.psql(
    'shop',
    `create table blobs as select i, repeat(md5(i::text), 100) as a from generate_series(1, 3000) as i`,
  )
})
after(() => bench[Symbol.asyncDispose]())

async function sts(options: Partial<StsOptions> = {}): Promise<Sts> {
  return await startSts({ s3: bench.s3, role: ROLE, ...options })
}

/** Inputs without any key: the role is all that there is. */
function asRole(place: Sts, more: Inputs = {}): Inputs {
  return {
    'aws-role-to-assume': ROLE,
    'aws-region': 'us-east-1',
    's3-config': toConfig({ ...place.env, AWS_EC2_METADATA_DISABLED: 'true' }),
    compression: 'none',
    ...more,
  }
}

/** The access key that signed a request. */
function signer({ headers }: S3Request): string {
  return /Credential=([^/]+)/.exec(String(headers.authorization))?.[1] ?? ''
}

const foldersOf = (temp: string) => readdirSync(temp).filter((name) => name.startsWith('pgclone-aws'))

describe('a role', { concurrency: false }, () => {
  test('outlives its credentials and its tokens during one upload, and leaves nothing', async () => {
    await using place = await sts({ credentialLife: 5, tokenLife: 6 })
    const from = bench.s3.requests.length
    bench.s3.fault({ operation: 'UploadPart', times: 99, action: { type: 'delay', ms: 8000 } })
    const action = startAction(bench.inputs('dump', 's3', 'shop', asRole(place)), { env: place.jobEnv })
    const folder = await until(() => foldersOf(action.runnerTemp)[0], 'the folder of the token')
    const path = join(action.runnerTemp, folder)
    await until(() => existsSync(join(path, 'token')), 'the token')
    assert.equal(statSync(join(path, 'token')).mode & 0o777, 0o600)
    assert.equal(statSync(path).mode & 0o777, 0o700)
    const run = succeeded(await action.done)
    bench.s3.heal()
    key = run.outputs['dump-key']!

    const upload = bench.s3.requests.slice(from).filter(({ key }) => key.endsWith('.dump'))
    const begun = upload.find(({ operation }) => operation === 'CreateMultipartUpload')!
    const ended = upload.find(({ operation }) => operation === 'CompleteMultipartUpload')!
    assert.notEqual(signer(begun), signer(ended), 'the credentials were refreshed within one upload')
    assert.ok(place.assumed.length >= 2)
    const used = new Set(place.assumed.map((parameters) => parameters.get('WebIdentityToken')))
    assert.ok(place.tokens.length >= 2 && used.size >= 2, 'the token was renewed')
    assert.equal(place.assumed[0]!.get('RoleSessionName'), 'pgclone-action')
    assert.equal(place.assumed[0]!.get('DurationSeconds'), null)
    for (const token of place.tokens) assert.ok(run.masks.includes(token))
    assert.match(run.visibleLog, /AWS: as arn:aws:iam::123456789012:role\/backup/)
    const secrets = [...place.tokens, ...bench.s3.secrets, place.jobEnv.ACTIONS_ID_TOKEN_REQUEST_TOKEN!]
    const { postgres, s3 } = bench
    await assertNothingLeft({ run, postgres, s3, databases: await postgres.databases(), secrets })
  })

  test("restores what it dumped, a duration is asked for, of an STS of one's own, and the keys and profiles of the job do not matter", async () => {
    await using place = await sts()
    const config = toConfig({ ...place.privateEnv, AWS_EC2_METADATA_DISABLED: 'true' })
    const asked = {
      ...{ 'aws-role-duration': '20m', 'aws-role-session-name': 'nightly', 'dump-key': key },
      's3-config': config,
    }
    const ofTheJob = {
      AWS_ACCESS_KEY_ID: 'AKIAOFTHEJOB',
      AWS_SECRET_ACCESS_KEY: 'of-the-job',
      AWS_PROFILE: 'nobody',
    }
    const env = { ...place.jobEnv, ...ofTheJob }
    const restored = succeeded(await bench.run('restore', 's3', 'copy', asRole(place, asked), { env }))
    assert.equal(place.assumed[0]!.get('DurationSeconds'), '1200')
    assert.equal(place.assumed[0]!.get('RoleSessionName'), 'nightly')
    assert.equal(restored.outputs['row-count'], '3000')
    assert.deepEqual(foldersOf(restored.runnerTemp), [])
  })

  test('is explained where it cannot be assumed', async () => {
    await using place = await sts()
    const list = (more: Inputs, env: Record<string, string>) =>
      runAction(bench.inputs('list', 's3', '', asRole(place, more)), { env })
    failed(await list({}, {}), /needs an OIDC token.*permissions: id-token: write/)
    const denied = { ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'wrong' }
    failed(
      await list({}, { ...place.jobEnv, ...denied }),
      /GitHub did not give this job an OIDC token, which aws-role-to-assume needs: .*401/,
    )
    const stranger = { 'aws-role-to-assume': 'arn:aws:iam::123456789012:role/other' }
    failed(await list(stranger, place.jobEnv), /role's trust policy does not admit this job/)
  })

  test('is not had from an STS that cannot be reached, and the store is not blamed', async () => {
    await using place = await sts()
    const nowhere = `http://127.0.0.1:${await freePort()}`
    const s3Config = toConfig({
      ...place.env,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL_STS: nowhere,
      AWS_MAX_ATTEMPTS: '1',
    })
    const inputs = bench.inputs('list', 's3', '', asRole(place, { 's3-config': s3Config }))
    const run = failed(
      await runAction(inputs, { env: place.jobEnv }),
      /cannot reach AWS STS at 127\.0\.0\.1:\d+; check aws-region, and AWS_ENDPOINT_URL_STS/,
    )
    assert.doesNotMatch(run.errors[0]!, /s3-endpoint-url/)
  })

  test('of a killed run leaves a token that the post step removes', async () => {
    await using place = await sts()
    bench.s3.fault({ operation: 'UploadPart', times: 99, action: { type: 'stall', after: 1000 } })
    const action = startAction(bench.inputs('dump', 's3', 'shop', asRole(place)), { env: place.jobEnv })
    const bytesMove = () =>
      bench.s3.requests.some(({ operation, status }) => operation === 'UploadPart' && status === 0)
    await until(bytesMove, 'a part on its way')
    action.kill()
    const killed = await action.done
    bench.s3.heal()
    const [folder] = foldersOf(killed.runnerTemp)
    assert.ok(place.tokens.includes(readFileSync(join(killed.runnerTemp, folder!, 'token'), 'utf8')))
    const post = await runPost(killed)
    assert.equal(post.exitCode, 0, post.log)
    assert.deepEqual(foldersOf(killed.runnerTemp), [])
    assert.deepEqual(bench.s3.uploads(), [])
  })
})
