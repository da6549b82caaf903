import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPlainHttp, parseEndpoint, parseLocation, parseS3Config } from '../../../src/inputs/location.ts'

test('a location is a folder or a bucket with a prefix', () => {
  const cases: [string, ReturnType<typeof parseLocation> | RegExp][] = [
    ['.pgclone/', { kind: 'folder', path: '.pgclone/' }],
    ['/var/dumps', { kind: 'folder', path: '/var/dumps' }],
    ['C:\\dumps', { kind: 'folder', path: 'C:\\dumps' }],
    ['with space/ünï', { kind: 'folder', path: 'with space/ünï' }],
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://bucket/a/b', { kind: 's3', bucket: 'bucket', prefix: 'a/b/' }],
    ['s3://my.bucket-1/a b/', { kind: 's3', bucket: 'my.bucket-1', prefix: 'a b/' }],
    ['s3://', /invalid bucket name/],
    ['s3://b', /invalid bucket name/],
    ['s3://-bucket/', /invalid bucket name/],
    ['s3://buck et/', /invalid bucket name/],
    ['s3://bucket//a', /empty part/],
    ['s3://bucket/a//', /empty part/],
    ['s3://bucket/../other', /empty part, "\." or "\.\."/],
    ['s3://bucket/a\nb', /control character/],
    ['folder\0', /control character/],
    ['S3://bucket/', /not S3:\/\//],
    ['s3:/bucket/a', /s3:\/\/bucket\/prefix\//],
    ['s3:bucket', /s3:\/\/bucket\/prefix\//],
    [
      's3://shop-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/a',
      { kind: 's3', bucket: 'shop-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias', prefix: 'a/' },
    ],
    [
      's3://arn:aws:s3:eu-west-1:123456789012:accesspoint/shop/a',
      /an S3 access point by its ARN.*write its alias/,
    ],
    ['arn:aws:s3:eu-west-1:123456789012:accesspoint:shop', /an S3 access point by its ARN/],
    [
      's3://arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/accesspoint/shop',
      /an S3 access point by its ARN/,
    ],
    [
      's3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/a',
      /multi-region access point, which is not supported/,
    ],
    ['arn:aws:s3:::bucket/a', /is the ARN of a bucket; write s3:\/\/bucket\/a$/],
    ['s3://arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/x', /not supported/],
    ['arn:aws:kms:x', /is an ARN, which is not supported/],
    ['~other/dumps', /only a shell replaces/],
    ['https://bucket.s3.amazonaws.com/', /not https:\/\//],
    ['gs://bucket/', /not gs:\/\//],
  ]
  for (const [text, expected] of cases) {
    if (expected instanceof RegExp) assert.throws(() => parseLocation(text), { message: expected }, text)
    else assert.deepEqual(parseLocation(text), expected, text)
  }
})

test('s3-config: lines and JSON say the same', () => {
  const expected = {
    AWS_ACCESS_KEY_ID: 'AKIA',
    AWS_SECRET_ACCESS_KEY: 'a/b+c==',
    https_proxy: 'http://proxy:3128',
  }
  const lines =
    'AWS_ACCESS_KEY_ID=AKIA\r\n\n  AWS_SECRET_ACCESS_KEY = a/b+c==  \nhttps_proxy=http://proxy:3128\n'
  assert.deepEqual(parseS3Config(lines), expected)
  assert.deepEqual(parseS3Config(` ${JSON.stringify(expected, null, 2)}\n`), expected)
})

test('s3-config: a mistake is named, and no value is shown', () => {
  const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY'
  const cases: [string, RegExp][] = [
    [`PATH=${secret}`, /"PATH"; only AWS_\*/],
    [`LD_PRELOAD=${secret}`, /"LD_PRELOAD"/],
    [`PGPASSWORD=${secret}`, /"PGPASSWORD"/],
    [`AWS_PROFILE=${secret}\nAWS_PROFILE=${secret}`, /sets AWS_PROFILE twice/],
    [
      'AWS_REGION=eu\nAWS_SECRET_ACCESS_KEY=',
      /AWS_SECRET_ACCESS_KEY to an empty value; check that the secret/,
    ],
    ['{"AWS_SECRET_ACCESS_KEY": ""}', /AWS_SECRET_ACCESS_KEY to an empty value/],
    [`AWS_SECRET_ACCESS_KEY="${secret}"`, /quotes around the value of AWS_SECRET_ACCESS_KEY/],
    [`AWS_SECRET_ACCESS_KEY='${secret}'`, /quotes around/],
    [`AWS_REGION=eu\n${secret}`, /no NAME=value in line 2/],
    [`=${secret}`, /no NAME=value in line 1/],
    // The secret in the place of a name: base64 ends with equals signs.
    [`AWS_REGION=eu\n${secret}==`, /only AWS_\*/],
    [`${secret.replaceAll(/\W/g, '')}=x`, /only AWS_\*/],
    [`{"${secret}": "x"}`, /only AWS_\*/],
    [`{"${secret}": 5}`, /not a string/],
    [`{"AWS_SECRET_ACCESS_KEY": "${secret}"`, /not valid JSON/],
    ['{"AWS_REGION": {"a": "b"}}', /AWS_REGION to a value that is not a string/],
  ]
  for (const [text, message] of cases) {
    assert.throws(
      () => parseS3Config(text),
      (error: Error) => {
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /wJalrXUtn|K7MDENG/)
        return true
      },
      text,
    )
  }
})

test('an endpoint has no credentials and no bucket', () => {
  const location = parseLocation('s3://shop/x/')
  const cases: [string, string | RegExp][] = [
    ['https://minio.example.com:9000/', 'https://minio.example.com:9000'],
    ['http://localhost:9000', 'http://localhost:9000'],
    ['https://example.com/s3//', 'https://example.com/s3'],
    ['https://workshop.example.com', 'https://workshop.example.com'],
    ['https://shop.example.com', /contains the bucket "shop"/],
    ['https://example.com/shop', /contains the bucket "shop"/],
    ['https://example.com/a/shop/', /contains the bucket "shop"/],
    ['minio.example.com', /must be an http/],
    ['s3://shop', /must be an http/],
    ['https://key:canary@example.com', /contains credentials/],
    ['https://example.com?a=canary', /has a query or a fragment/],
    ['https://example.com/#canary', /has a query or a fragment/],
  ]
  for (const [text, expected] of cases) {
    if (typeof expected === 'string') assert.equal(parseEndpoint(text, location), expected)
    else
      assert.throws(
        () => parseEndpoint(text, location),
        ({ message }: Error) => expected.test(message) && !message.includes('canary'),
        text,
      )
  }
  assert.equal(parseEndpoint('https://shop.example.com', null), 'https://shop.example.com')
})

test('plain http is fine on this machine only', () => {
  const cases: [string, boolean][] = [
    ['http://minio.example.com', true],
    ['http://10.0.0.1:9000', true],
    ['http://localhost.example.com', true],
    ['http://127.0.0.1.example.com', true],
    ['http://localhost:9000', false],
    ['http://s3.localhost', false],
    ['http://127.0.0.1', false],
    ['http://[::1]:9000', false],
    ['https://minio.example.com', false],
  ]
  for (const [endpoint, plain] of cases) assert.equal(isPlainHttp(endpoint), plain, endpoint)
})
