/** S3 error codes (AWS: "S3 API Reference, Error responses") and what a user can do about them. */
const CODES: Readonly<Record<string, string>> = {
  NoSuchBucket:
    'the bucket of storage-location does not exist (or is in another account or at another endpoint)',
  NoSuchKey: 'the object does not exist',
  InvalidAccessKeyId: 'the access key is not known there; check AWS_ACCESS_KEY_ID in s3-config',
  SignatureDoesNotMatch: 'the signature was refused; check AWS_SECRET_ACCESS_KEY in s3-config and the region',
  ExpiredToken: 'the credentials have expired; temporary credentials live an hour by default',
  ExpiredTokenException: 'the credentials have expired; temporary credentials live an hour by default',
  InvalidToken: 'the session token was refused; check AWS_SESSION_TOKEN in s3-config',
  AccessDenied: 'access denied; the credentials lack a right (see the policy in the README)',
  AllAccessDisabled: 'access to the bucket is disabled',
  '403': 'forbidden; the credentials lack a right, or s3:ListBucket is missing and the object does not exist',
  '404': 'not found',
  SlowDown: 'the store is overloaded (503 SlowDown) and stayed so through all retries',
  ServiceUnavailable: 'the store is unavailable (503) and stayed so through all retries',
  InternalError: 'the store had an internal error (500) and stayed so through all retries',
  PermanentRedirect: 'the bucket is in another region; set AWS_REGION in s3-config',
  AuthorizationHeaderMalformed: 'the bucket is in another region; set AWS_REGION in s3-config',
  IllegalLocationConstraintException: 'the bucket is in another region; set AWS_REGION in s3-config',
  EntityTooLarge: 'the object is too large for this store',
  InvalidArgument: 'the store refused an argument; with multipart uploads check s3-max-parts',
  RequestTimeTooSkewed: 'the clock of this machine is wrong',
  NotImplemented: 'the store does not know this request; try s3-checksum: when-required',
  XAmzContentSHA256Mismatch:
    'the store cannot read the checksum of the AWS CLI; set s3-checksum: when-required',
  InvalidStorageClass: 'the store has no such storage class; check s3-storage-class',
  PreconditionFailed: 'the object exists already; another run wrote it',
}

/** Failures before any answer, by their words (botocore's exceptions.py). */
const WORDS: readonly [RegExp, string, string][] = [
  [
    /Unable to locate credentials/,
    'NoCredentials',
    'there are no credentials; give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in s3-config, or configure a role before this step',
  ],
  [
    /Partial credentials found/,
    'NoCredentials',
    'half of the credentials is missing; s3-config needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  ],
  [
    /config profile \((.*)\) could not be found/,
    'NoProfile',
    'the profile of AWS_PROFILE does not exist on this runner',
  ],
  [/You must specify a region/, 'NoRegion', 'there is no region; set AWS_REGION in s3-config'],
  [
    /SSL validation failed|CERTIFICATE_VERIFY_FAILED/,
    'Tls',
    "the endpoint's TLS certificate was not accepted; set AWS_CA_BUNDLE in s3-config for a CA of your own",
  ],
  [
    /Could not connect to the endpoint URL|Connect timeout|Failed to connect/,
    'NoConnection',
    'cannot reach the endpoint; check s3-endpoint-url and AWS_REGION',
  ],
  [
    /Connection was closed|Connection reset|Read timeout|IncompleteRead|Connection broken|ended prematurely/,
    'Cut',
    'the connection to the store was cut',
  ],
]

/**
 * What the AWS CLI complained of.
 *
 * @param stderr its last lines; codes are matched and not sentences, which change between versions
 */
export function explainAws(stderr: string): { code: string; sentence: string } {
  const code = /An error occurred \(([\w.]+)\)/.exec(stderr)?.[1] ?? ''
  const operation = /when calling the (\w+) operation/.exec(stderr)?.[1]
  if (CODES[code])
    return { code, sentence: `${CODES[code]}${operation ? ` [${code} in ${operation}]` : ` [${code}]`}` }
  for (const [pattern, name, sentence] of WORDS) {
    if (pattern.test(stderr)) return { code: code || name, sentence }
  }
  const last = stderr.split('\n').findLast((line) => line.trim() !== '')
  return { code, sentence: last?.trim() ?? 'it gave no reason' }
}
