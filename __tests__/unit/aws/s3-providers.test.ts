import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsEndpoint, endpointOf, isProxied } from '../../../src/aws/endpoint.ts'
import { providerOf, regionOf, regionVariables } from '../../../src/aws/s3-providers.ts'

test('a provider is known by its endpoint', () => {
  const cases: [string, string, string | null][] = [
    ['https://0123abcd.r2.cloudflarestorage.com', 'Cloudflare R2', 'auto'],
    ['https://0123abcd.eu.r2.cloudflarestorage.com', 'Cloudflare R2', 'auto'],
    ['https://nyc3.digitaloceanspaces.com', 'DigitalOcean Spaces', 'nyc3'],
    ['https://s3.us-west-004.backblazeb2.com', 'Backblaze B2', 'us-west-004'],
    ['https://s3.fr-par.scw.cloud', 'Scaleway', 'fr-par'],
    ['https://s3.gra.io.cloud.ovh.net', 'OVHcloud', 'gra'],
    ['https://s3.eu-west-par.io.cloud.ovh.net', 'OVHcloud', 'eu-west-par'],
    ['https://s3.bhs.perf.cloud.ovh.net', 'OVHcloud', 'bhs'],
    ['https://s3.us-east-va.io.cloud.ovh.us', 'OVHcloud', 'us-east-va'],
    ['https://s3.eu-central-1.wasabisys.com', 'Wasabi', 'eu-central-1'],
    ['https://s3.wasabisys.com', 'Wasabi', 'us-east-1'],
    ['https://fsn1.your-objectstorage.com', 'Hetzner', 'fsn1'],
    ['https://sos-ch-gva-2.exo.io', 'Exoscale', 'ch-gva-2'],
    ['https://storage.googleapis.com', 'Google Cloud Storage', 'auto'],
    ['https://space.compat.objectstorage.eu-frankfurt-1.oraclecloud.com', 'Oracle Cloud', 'eu-frankfurt-1'],
    ['https://s3.private.eu-de.cloud-object-storage.appdomain.cloud', 'IBM Cloud', 'eu-de'],
    ['https://minio.example.com:9000', 'minio.example.com', null],
    ['http://127.0.0.1:9000', '127.0.0.1', null],
    ['https://s3.gra.io.cloud.ovh.net.evil.example', 's3.gra.io.cloud.ovh.net.evil.example', null],
  ]
  for (const [url, name, region] of cases) {
    const maxParts = name === 'Scaleway' ? 1000 : 10_000
    assert.deepEqual(providerOf(url), { name, region, checksum: 'when_required', maxParts }, url)
  }
})

test('AWS has endpoints of its own, and they take its checksums', () => {
  const cases: [string | null, string | null][] = [
    [null, null],
    ['https://s3.eu-central-1.amazonaws.com', 'eu-central-1'],
    ['https://s3.dualstack.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
    ['https://s3-fips.us-east-2.amazonaws.com', 'us-east-2'],
    ['https://s3.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ['https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com', 'us-east-1'],
  ]
  for (const [url, region] of cases) {
    const expected = { name: 'AWS', region, checksum: 'when_supported', maxParts: 10_000 }
    assert.deepEqual(providerOf(url), expected, String(url))
  }
})

test('inputs decide about the region, then a known endpoint, then the job', () => {
  const r2 = 'https://0123abcd.r2.cloudflarestorage.com'
  const minio = 'http://minio:9000'
  const job = { AWS_REGION: 'eu-west-1' }
  const region = (url: string | null, chosen = '', config = {}, environment = {}) =>
    regionOf(providerOf(url), url, { chosen, config, environment })
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

test('an endpoint may come from the environment of the AWS CLI', () => {
  assert.equal(endpointOf({ AWS_ENDPOINT_URL: 'a', AWS_ENDPOINT_URL_S3: 'b' }), 'b')
  assert.equal(endpointOf({ AWS_ENDPOINT_URL: 'a', AWS_ENDPOINT_URL_S3: '' }), 'a')
  assert.equal(endpointOf({}), null)
  assert.equal(awsEndpoint('cn-north-1'), 'https://s3.cn-north-1.amazonaws.com.cn')
  assert.equal(awsEndpoint(null), 'https://s3.us-east-1.amazonaws.com')
  assert.ok(isProxied({ https_proxy: 'http://p' }) && isProxied({ ALL_PROXY: 'http://p' }))
  assert.ok(!isProxied({ HTTPS_PROXY: '', NO_PROXY: '*' }))
})
