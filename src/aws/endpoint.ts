/** Variables of the AWS CLI that name another endpoint; the first one wins (AWS: "Service-specific endpoints"). */
const ENDPOINT_VARIABLES = ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']

type Variables = Readonly<Record<string, string>>

/** The endpoint of these variables. The AWS CLI would use it too, but its older versions do not know them. */
export function endpointOf(variables: Variables): string | null {
  return ENDPOINT_VARIABLES.map((name) => variables[name]).find((url) => url) ?? null
}

/** The endpoint of AWS in a region (AWS: "Amazon Simple Storage Service endpoints and quotas"). */
export function awsEndpoint(region: string | null): string {
  const suffix = region?.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  return `https://s3.${region ?? 'us-east-1'}.${suffix}`
}

/** Whether the AWS CLI reaches the store through a proxy. */
export function isProxied(variables: Variables): boolean {
  return Object.entries(variables).some(([name, value]) => /^(https?|all)_proxy$/i.test(name) && value !== '')
}
