import assert from 'node:assert/strict'
import { test } from 'node:test'
import { providerOf } from '../../../src/aws/s3-providers.ts'

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
    const expected = { name, region, defaultRegion: 'us-east-1', checksum: 'when_required', maxParts }
    assert.deepEqual(providerOf(url), expected, url)
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
    const expected = {
      ...{ name: 'AWS', region, defaultRegion: null },
      ...{ checksum: 'when_supported', maxParts: 10_000 },
    }
    assert.deepEqual(providerOf(url), expected, String(url))
  }
})
