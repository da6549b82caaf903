import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainAws } from '../../../src/aws/errors.ts'

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
      /lack the right s3:GetObject .*or the object does not exist and s3:ListBucket is missing \[403 in HeadObject\]/,
    ],
    [
      'upload failed: - to s3://b/k An error occurred (AccessDenied) when calling the CreateMultipartUpload operation: Access Denied',
      'AccessDenied',
      /lack the right s3:PutObject [^;]*\[AccessDenied in CreateMultipartUpload\]/,
    ],
    [
      'An error occurred (AccessDenied) when calling the PutObject operation: User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:1:key/k because no identity-based policy allows the kms:GenerateDataKey action',
      'AccessDenied',
      /lack the right kms:GenerateDataKey /,
    ],
    [
      'An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: Not authorized to perform sts:AssumeRoleWithWebIdentity',
      'AccessDenied',
      /trust policy does not admit this job/,
    ],
    [
      'aws: [ERROR]: An error occurred (AccessDenied) when calling the DeleteObjects operation: Access Denied',
      'AccessDenied',
      /s3:DeleteObject/,
    ],
    [
      'An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: No OpenIDConnect provider found in your account',
      'InvalidIdentityToken',
      /identity provider token.actions.githubusercontent.com/,
    ],
    [
      'Error when retrieving credentials from custom-process: \naws: [ERROR]: An error occurred (ExpiredTokenException) when calling the AssumeRoleWithWebIdentity operation: Token expired',
      'ExpiredTokenException',
      /credentials have expired/,
    ],
    [
      'Credentials were refreshed, but the refreshed credentials are still expired.',
      'ExpiredToken',
      /aws-role-to-assume/,
    ],
    [
      'An error occurred (301) when calling the HeadObject operation: Moved Permanently',
      '301',
      /another region; set aws-region/,
    ],
    [
      'An error occurred (400) when calling the HeadObject operation: Bad Request',
      '400',
      /whether the credentials have expired, and aws-region/,
    ],
    [
      'You must specify a region. You can also configure your region by running "aws configure".',
      'NoRegion',
      /aws-region/,
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
      /credentials are incomplete/,
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

test('an error names the service that it is about, and its own settings', () => {
  const store = 'http://127.0.0.1:9000'
  const unreachable = (url: string) => `Could not connect to the endpoint URL: "${url}"`
  const cases: [string, string | null, RegExp][] = [
    [
      unreachable(`${store}/bucket?list-type=2`),
      store,
      /reach the store at 127\.0\.0\.1:9000; check s3-endpoint-url/,
    ],
    [unreachable('http://bucket.minio:9000/'), 'http://minio:9000', /reach the store at bucket\.minio:9000;/],
    [unreachable('https://b.s3.eu-west-1.amazonaws.com/k'), null, /reach the store at b\.s3\.eu-west-1/],
    [unreachable('https://s3-fips.us-east-2.amazonaws.com/b'), null, /reach the store at s3-fips/],
    [
      unreachable('https://sts.eu-west-1.amazonaws.com/'),
      store,
      /reach AWS STS at sts\.eu-west-1\.amazonaws\.com; check aws-region/,
    ],
    [unreachable('https://sts.eu-west-1.amazonaws.com/'), null, /reach AWS STS /],
    [
      unreachable('https://portal.sso.eu-west-1.amazonaws.com/x'),
      store,
      /reach AWS IAM Identity Center .*sso_region/,
    ],
    [unreachable('https://rds.eu-west-1.amazonaws.com/'), null, /reach Amazon RDS /],
    [unreachable('https://kms.eu-west-1.amazonaws.com/'), store, /reach AWS KMS /],
    [
      unreachable('http://127.0.0.1:9002/'),
      store,
      /reach AWS STS at 127\.0\.0\.1:9002; .*AWS_ENDPOINT_URL_STS/,
    ],
    [
      unreachable('http://127.0.0.1:9001/'),
      store,
      /reach an AWS service at 127\.0\.0\.1:9001; check the variables AWS_ENDPOINT_URL/,
    ],
    [
      'Connect timeout on endpoint URL: "https://sts.amazonaws.com/"',
      store,
      /reach AWS STS at sts\.amazonaws\.com/,
    ],
    [
      'Read timeout on endpoint URL: "https://sts.amazonaws.com/"',
      store,
      /^the connection to AWS STS at sts\.amazonaws\.com was cut$/,
    ],
    [
      `Read timeout on endpoint URL: "${store}/b"`,
      store,
      /^the connection to the store at 127\.0\.0\.1:9000 was cut$/,
    ],
    [
      'SSL validation failed for https://sts.amazonaws.com/ [SSL: CERTIFICATE_VERIFY_FAILED]',
      store,
      /certificate of AWS STS /,
    ],
    [
      'An error occurred (ServiceUnavailable) when calling the AssumeRoleWithWebIdentity operation: x',
      store,
      /^AWS STS is unavailable/,
    ],
    [
      'An error occurred (ServiceUnavailable) when calling the PutObject operation: x',
      store,
      /^the store is unavailable/,
    ],
  ]
  for (const [stderr, storeUrl, sentence] of cases) {
    const explained = explainAws(stderr, { store: storeUrl, sts: 'http://127.0.0.1:9002' }).sentence
    assert.match(explained, sentence)
    if (!/the store/.test(sentence.source)) assert.doesNotMatch(explained, /s3-endpoint-url|the store/)
  }
})
