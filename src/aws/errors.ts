/** What a user can do about an error code of S3 or STS (AWS: "Error responses" of both API references). */
const CODES: Readonly<Record<string, string>> = {
  NoSuchBucket:
    'the bucket of storage-location does not exist (or is in another account or at another endpoint)',
  NoSuchKey: 'the object does not exist',
  InvalidAccessKeyId: 'the access key is not known there; check AWS_ACCESS_KEY_ID in s3-config',
  InvalidClientTokenId: 'the access key is not known there; check AWS_ACCESS_KEY_ID in s3-config',
  SignatureDoesNotMatch: 'the signature was refused; check AWS_SECRET_ACCESS_KEY in s3-config and the region',
  InvalidToken: 'the session token was refused; check AWS_SESSION_TOKEN in s3-config',
  InvalidIdentityToken:
    'AWS does not know the OIDC token of this job; add the identity provider token.actions.githubusercontent.com to the account',
  IDPCommunicationError: 'AWS could not ask GitHub about the OIDC token of this job; try again',
  ValidationError:
    'AWS refused a value; check aws-role-to-assume, aws-role-session-name and aws-role-duration',
  AllAccessDisabled: 'access to the bucket is disabled',
  InvalidObjectState: 'the object is archived (Glacier); restore it in S3 first',
  '404': 'not found',
  '400': 'the store refused the request without a reason: expired credentials, or a wrong region',
  SlowDown: 'the store is overloaded (503 SlowDown) and stayed so through all retries',
  ServiceUnavailable: 'the store is unavailable (503) and stayed so through all retries',
  InternalError: 'the store had an internal error (500) and stayed so through all retries',
  EntityTooLarge: 'the object is too large for this store',
  InvalidArgument: 'the store refused an argument; with multipart uploads check s3-max-parts',
  RequestTimeTooSkewed: 'the clock of this machine is wrong',
  NotImplemented: 'the store does not know this request; try s3-checksum: when-required',
  XAmzContentSHA256Mismatch:
    'the store cannot read the checksum of the AWS CLI; set s3-checksum: when-required',
  InvalidStorageClass: 'the store has no such storage class; check s3-storage-class',
  PreconditionFailed: 'the object exists already; another run wrote it',
}

const EXPIRED =
  'the credentials have expired; temporary credentials live an hour by default. aws-role-to-assume renews them'
const OTHER_REGION = 'the bucket is in another region; set aws-region'
const SHARED: readonly [string, readonly string[]][] = [
  [EXPIRED, ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'RequestExpired']],
  [
    OTHER_REGION,
    [
      ...['301', 'PermanentRedirect', 'TemporaryRedirect', 'AuthorizationHeaderMalformed'],
      ...['IllegalLocationConstraintException', 'InvalidRegionName', 'InvalidLocationConstraint'],
    ],
  ],
]

/** Refusals for want of a right. A HEAD has no body, so that its error is the bare status. */
const DENIED = ['AccessDenied', 'AccessDeniedException', 'Forbidden', '403', 'UnauthorizedAccess']

/** The IAM action that an operation needs (AWS: "Required permissions for Amazon S3 API operations"). */
const ACTIONS: Readonly<Record<string, string>> = {
  ListObjectsV2: 's3:ListBucket',
  HeadBucket: 's3:ListBucket',
  HeadObject: 's3:GetObject',
  GetObject: 's3:GetObject',
  PutObject: 's3:PutObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  ListMultipartUploads: 's3:ListBucketMultipartUploads',
  DeleteObject: 's3:DeleteObject',
  DeleteObjects: 's3:DeleteObject',
}

/** Failures without a code of their own, by their words (botocore's exceptions.py). */
const WORDS: readonly [RegExp, string, string][] = [
  [
    /Unable to locate credentials/,
    'NoCredentials',
    'there are no credentials; give aws-role-to-assume, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in s3-config, or configure a role before this step',
  ],
  [
    /Partial credentials found/,
    'NoCredentials',
    'half of the credentials is missing; s3-config needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  ],
  [/refreshed credentials are still expired|Token has expired and refresh failed/, 'ExpiredToken', EXPIRED],
  [
    /config profile \((.*)\) could not be found/,
    'NoProfile',
    'the profile of AWS_PROFILE does not exist on this runner',
  ],
  [/You must specify a region/, 'NoRegion', 'there is no region; set aws-region'],
  [
    /SSL validation failed|CERTIFICATE_VERIFY_FAILED/,
    'Tls',
    "the endpoint's TLS certificate was not accepted; set AWS_CA_BUNDLE in s3-config for a CA of your own",
  ],
  [
    /Content-MD5.*(?:required|must)/i,
    'NoChecksum',
    'the bucket demands a checksum of what is uploaded, as buckets with Object Lock do; set s3-checksum: when-supported',
  ],
  [/Failed to connect to proxy/, 'NoConnection', 'cannot reach the proxy; check HTTPS_PROXY'],
  [
    /Could not connect to the endpoint URL|Connect timeout|Failed to connect/,
    'NoConnection',
    'cannot reach the endpoint; check s3-endpoint-url and aws-region',
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
  const operation = /when calling the (\w+) operation/.exec(stderr)?.[1] ?? ''
  const known = DENIED.includes(code)
    ? explainDenial(stderr, code, operation)
    : (SHARED.find(([, codes]) => codes.includes(code))?.[0] ?? CODES[code])
  if (known) return { code, sentence: `${known} [${code}${operation && ` in ${operation}`}]` }
  for (const [pattern, name, sentence] of WORDS) {
    if (pattern.test(stderr)) return { code: code || name, sentence }
  }
  const last = stderr.split('\n').findLast((line) => line.trim() !== '')
  return { code, sentence: last?.trim() ?? 'it gave no reason' }
}

/** AWS often names the missing right itself, such as one of a KMS key; else it follows from the operation. */
function explainDenial(stderr: string, code: string, operation: string): string {
  if (operation === 'AssumeRoleWithWebIdentity') {
    return "access denied; the role's trust policy does not admit this job (sts:AssumeRoleWithWebIdentity, with this repository and branch or environment in the condition on token.actions.githubusercontent.com:sub)"
  }
  const action = /not authorized to perform:? ([a-z0-9-]+:\w+)/.exec(stderr)?.[1] ?? ACTIONS[operation]
  const right = action ? `the right ${action}` : 'a right'
  const denial = `access denied; the credentials lack ${right} (see the policy in docs/permissions.md), or a bucket policy denies it`
  // Without the right to list, S3 says the same of an object that does not exist (API Reference, HeadObject).
  const isAboutObject = ['HeadObject', 'GetObject'].includes(operation) || code === '403'
  return isAboutObject ? `${denial}; or the object does not exist and s3:ListBucket is missing` : denial
}
