import { type Endpoints, type Service, serviceOf } from './service.ts'

/** What a user can do about an error code of S3 or STS (AWS: "Error responses" of both API references). */
const CODES: Readonly<Record<string, string>> = {
  NoSuchBucket:
    'the bucket of storage-location does not exist (or is in another account or at another endpoint)',
  NoSuchKey: 'the object does not exist',
  InvalidAccessKeyId: 'the access key is unknown there; check AWS_ACCESS_KEY_ID in s3-config',
  InvalidClientTokenId: 'the access key is unknown there; check AWS_ACCESS_KEY_ID in s3-config',
  SignatureDoesNotMatch:
    'the signature was rejected; check AWS_SECRET_ACCESS_KEY in s3-config and the region',
  InvalidToken: 'the session token was rejected; check AWS_SESSION_TOKEN in s3-config',
  InvalidIdentityToken:
    'AWS does not know the OIDC token of this job; add the identity provider token.actions.githubusercontent.com to the account',
  IDPCommunicationError: 'AWS could not ask GitHub about the OIDC token of this job; try again',
  ValidationError:
    'AWS rejected a value; check aws-role-to-assume, aws-role-session-name and aws-role-duration',
  AllAccessDisabled: 'access to the bucket is disabled',
  InvalidObjectState: 'the object is archived (Glacier); restore it in S3 first',
  '404': 'not found',
  '400':
    'the store rejected the request without a reason; check whether the credentials have expired, and aws-region',
  SlowDown: 'the store is overloaded (503 SlowDown) and stayed so through all retries',
  ServiceUnavailable: 'the store is unavailable (503) and stayed so through all retries',
  InternalError: 'the store had an internal error (500) and stayed so through all retries',
  EntityTooLarge: 'the object is too large for this store',
  InvalidArgument: 'the store rejected an argument; with multipart uploads check s3-max-parts',
  RequestTimeTooSkewed: 'the clock of this machine is wrong',
  NotImplemented: 'the store does not support this request; try s3-checksum: when-required',
  XAmzContentSHA256Mismatch:
    'the store cannot read the checksum of the AWS CLI; set s3-checksum: when-required',
  InvalidStorageClass: 'the store does not have this storage class; check s3-storage-class',
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

/** Codes of a missing right. The response to a HEAD has no body, so its code is only the status. */
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

/** The name of a service, and the same with its address, if the message has one. */
type Peer = Service & { address: string }

/** Failures without an error code, by their messages (botocore's exceptions.py). */
const MESSAGES: readonly [RegExp, string, string | ((peer: Peer) => string)][] = [
  [
    /Unable to locate credentials/,
    'NoCredentials',
    'there are no credentials; give aws-role-to-assume, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in s3-config, or configure a role before this step',
  ],
  [
    /Partial credentials found/,
    'NoCredentials',
    'the credentials are incomplete; s3-config needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
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
    ({ address }) =>
      `the TLS certificate of ${address} was not accepted; set AWS_CA_BUNDLE in s3-config if its CA is private`,
  ],
  [
    /Content-MD5.*(?:required|must)/i,
    'NoChecksum',
    'the bucket requires a checksum of each upload, as buckets with Object Lock do; set s3-checksum: when-supported',
  ],
  [/Failed to connect to proxy/, 'NoConnection', 'cannot reach the proxy; check HTTPS_PROXY'],
  [
    /Could not connect to the endpoint URL|Connect timeout|Failed to connect/,
    'NoConnection',
    ({ address, check }) =>
      `cannot reach ${address}; check ${check}, and whether this runner may connect there`,
  ],
  [
    /Connection was closed|Connection reset|Read timeout|IncompleteRead|Connection broken|ended prematurely/,
    'Cut',
    ({ address }) => `the connection to ${address} was cut`,
  ],
]

/**
 * Explains an error of the AWS CLI.
 *
 * @param stderr its last lines; codes are matched rather than sentences, which change between versions
 */
export function explainAws(
  stderr: string,
  endpoints: Endpoints = { store: null, sts: null },
): { code: string; sentence: string } {
  const peer = peerOf(stderr, endpoints)
  const code = /An error occurred \(([\w.]+)\)/.exec(stderr)?.[1] ?? ''
  const operation = /when calling the (\w+) operation/.exec(stderr)?.[1] ?? ''
  const known = DENIED.includes(code)
    ? explainDenial(stderr, code, operation)
    : (SHARED.find(([, codes]) => codes.includes(code))?.[0] ?? CODES[code])
  // The codes of overload and of refusals are the same at every service.
  const meant = known?.replaceAll('the store', peer.name)
  if (meant) return { code, sentence: `${meant} [${code}${operation && ` in ${operation}`}]` }
  for (const [pattern, name, sentence] of MESSAGES) {
    if (!pattern.test(stderr)) continue
    return { code: code || name, sentence: typeof sentence === 'string' ? sentence : sentence(peer) }
  }
  const last = stderr.split('\n').findLast((line) => line.trim() !== '')
  return { code, sentence: last?.trim() ?? 'it gave no reason' }
}

function peerOf(stderr: string, endpoints: Endpoints): Peer {
  const { service, host } = serviceOf(stderr, endpoints)
  return { ...service, address: host === null ? service.name : `${service.name} at ${host}` }
}

/** AWS often names the missing right, such as one of a KMS key; otherwise it follows from the operation. */
function explainDenial(stderr: string, code: string, operation: string): string {
  if (operation === 'AssumeRoleWithWebIdentity') {
    return "access denied; the role's trust policy does not admit this job (sts:AssumeRoleWithWebIdentity, with this repository and branch or environment in the condition on token.actions.githubusercontent.com:sub)"
  }
  const action = /not authorized to perform:? ([a-z0-9-]+:\w+)/.exec(stderr)?.[1] ?? ACTIONS[operation]
  const right = action ? `the right ${action}` : 'a right'
  const denial = `access denied; the credentials lack ${right} (see the policy in docs/permissions.md), or a bucket policy denies it`
  // Without the right to list, S3 gives the same answer for an object that does not exist (API Reference, HeadObject).
  const isAboutObject = ['HeadObject', 'GetObject'].includes(operation) || code === '403'
  return isAboutObject ? `${denial}; or the object does not exist and s3:ListBucket is missing` : denial
}
