import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainAws } from '../../src/storage/explain.ts'

test('what the AWS CLI complains of is explained, whatever its version', () => {
  const cases: [string, string, RegExp][] = [
    [
      'An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: The specified bucket does not exist',
      'NoSuchBucket',
      /bucket of storage-location does not exist.*\[NoSuchBucket in ListObjectsV2\]/,
    ],
    [
      'upload failed: - to s3://b/k An error occurred (ExpiredToken) when calling the UploadPart operation: expired',
      'ExpiredToken',
      /credentials have expired/,
    ],
    [
      '\naws: [ERROR]: An error occurred (PreconditionFailed) when calling the PutObject operation: At least one …',
      'PreconditionFailed',
      /exists already/,
    ],
    [
      'fatal error: An error occurred (403) when calling the HeadObject operation: Forbidden',
      '403',
      /forbidden/,
    ],
    [
      'fatal error: An error occurred (404) when calling the HeadObject operation: Key "k" does not exist',
      '404',
      /not found/,
    ],
    [
      'An error occurred (SlowDown) when calling the UploadPart operation (reached max retries: 5): Reduce your rate',
      'SlowDown',
      /overloaded/,
    ],
    [
      'Unable to locate credentials. You can configure credentials by running "aws login".',
      'NoCredentials',
      /s3-config/,
    ],
    [
      'Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY',
      'NoCredentials',
      /half of the credentials/,
    ],
    ['The config profile (shop) could not be found', 'NoProfile', /profile/],
    [
      'fatal error: Could not connect to the endpoint URL: "http://127.0.0.1:1/b"',
      'NoConnection',
      /cannot reach/,
    ],
    [
      'SSL validation failed for https://x/ [SSL: CERTIFICATE_VERIFY_FAILED] self-signed',
      'Tls',
      /AWS_CA_BUNDLE/,
    ],
    ['download failed: s3://b/k to - Connection broken: IncompleteRead(5 bytes read)', 'Cut', /was cut/],
    // Not every store keeps to the codes of S3: what it says is passed on.
    [
      'An error occurred (TeaPot) when calling the PutObject operation: short and stout',
      'TeaPot',
      /short and stout/,
    ],
    ['first line\nsomething new happened\n\n', '', /^something new happened$/],
    ['', '', /no reason/],
  ]
  for (const [stderr, code, sentence] of cases) {
    const explained = explainAws(stderr)
    assert.equal(explained.code, code, stderr)
    assert.match(explained.sentence, sentence)
  }
})
