/** A service that the AWS CLI talks to, as errors name it. */
export type Service = {
  name: string
  /** The settings that decide where its requests go. */
  check: string
}

const STORE: Service = { name: 'the store', check: 's3-endpoint-url and aws-region' }

/** The addresses that the settings name; null is that of AWS. */
export type Endpoints = { store: string | null; sts: string | null }

const STS: Service = { name: 'AWS STS', check: 'aws-region, and AWS_ENDPOINT_URL_STS if it is set' }

/** Other services that a command may need, by their host names at AWS and by their operations. */
const OTHERS: readonly { host: RegExp; operation: RegExp; service: Service }[] = [
  {
    host: /^sts[.-]/,
    operation: /^(?:AssumeRole|GetCallerIdentity|GetSessionToken|GetFederationToken)/,
    service: STS,
  },
  {
    host: /^(?:portal\.sso|oidc)\./,
    operation: /^(?:GetRoleCredentials|CreateToken)$/,
    service: {
      name: 'AWS IAM Identity Center',
      check: 'the sso_region of the profile',
    },
  },
  { host: /^kms[.-]/, operation: /^(?!)/, service: { name: 'AWS KMS', check: 'aws-region' } },
  {
    host: /^rds[.-]/,
    operation: /^DescribeDB/,
    service: { name: 'Amazon RDS', check: 'aws-region' },
  },
]

/** S3 at AWS: `bucket.s3.eu-west-1.amazonaws.com`, `s3-fips.…`, and endpoints of a VPC. */
const S3_HOST = /(?:^|\.)s3[.-].*amazonaws\.com(?:\.cn)?$/

/**
 * The service that a message of the AWS CLI is about: that of the URL in it, else that of the operation, else the store.
 */
export function serviceOf(stderr: string, endpoints: Endpoints): { service: Service; host: string | null } {
  const operation = /when calling the (\w+) operation/.exec(stderr)?.[1] ?? ''
  const url = parseUrl(/(?:endpoint URL: "|SSL validation failed for )(https?:\/\/[^\s"]+)/.exec(stderr)?.[1])
  const other = OTHERS.find((one) => (url ? one.host.test(url.hostname) : one.operation.test(operation)))
  if (!url) return { service: other?.service ?? STORE, host: null }
  if (isStore(url, endpoints.store)) return { service: STORE, host: url.host }
  if (endpoints.sts !== null && url.host === parseUrl(endpoints.sts)?.host)
    return { service: STS, host: url.host }
  return {
    service: other?.service ?? {
      name: 'an AWS service',
      check: 'the variables AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_*',
    },
    host: url.host,
  }
}

/** Requests go to the endpoint itself, or to a host below it that begins with the bucket. */
function isStore({ host, hostname }: URL, storeUrl: string | null): boolean {
  const store = storeUrl === null ? null : parseUrl(storeUrl)
  return store ? host === store.host || host.endsWith(`.${store.host}`) : S3_HOST.test(hostname)
}

function parseUrl(text: string | undefined): URL | null {
  return text !== undefined && URL.canParse(text) ? new URL(text) : null
}
