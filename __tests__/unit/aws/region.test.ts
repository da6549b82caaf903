import assert from 'node:assert/strict'
import { test } from 'node:test'
import { givenRegion, regionVariables, storeRegion } from '../../../src/aws/region.ts'
import { providerOf } from '../../../src/aws/s3-providers.ts'

test('inputs decide about the region, then a known endpoint, then the job', () => {
  const r2 = 'https://0123abcd.r2.cloudflarestorage.com'
  const minio = 'http://minio:9000'
  const job = { AWS_REGION: 'eu-west-1' }
  const region = (url: string | null, chosen = '', config = {}, environment = {}) => {
    const provider = providerOf(url)
    return storeRegion({ chosen, config, environment }, provider.region, provider.defaultRegion)
  }
  assert.equal(region(r2, '', {}, job), 'auto')
  assert.equal(region(r2, '', { AWS_REGION: 'weur' }, job), 'weur')
  assert.equal(region(r2, 'enam', { AWS_REGION: 'weur' }, job), 'enam')
  assert.equal(region(minio, '', {}, job), 'eu-west-1')
  assert.equal(region(minio, '', {}, { AWS_DEFAULT_REGION: 'eu-west-2', AWS_REGION: '' }), 'eu-west-2')
  assert.equal(region(minio), 'us-east-1')
  assert.equal(region(null), null)
  assert.equal(region(null, '', {}, job), 'eu-west-1')
  assert.deepEqual(regionVariables('x'), { AWS_REGION: 'x', AWS_DEFAULT_REGION: 'x' })
  assert.deepEqual(regionVariables(null), {})
})

test('without a store, inputs decide before the job does', () => {
  const environment = { AWS_DEFAULT_REGION: 'eu-west-2' }
  assert.equal(givenRegion({ chosen: '', config: {}, environment }), 'eu-west-2')
  assert.equal(givenRegion({ chosen: '', config: { AWS_REGION: 'eu-west-1' }, environment }), 'eu-west-1')
  assert.equal(givenRegion({ chosen: 'x', config: { AWS_REGION: 'eu-west-1' }, environment }), 'x')
  assert.equal(givenRegion({ chosen: '', config: {}, environment: {} }), null)
})
