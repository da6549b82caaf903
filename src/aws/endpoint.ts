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

/** Whether the AWS CLI reaches this address through a proxy. */
export function isProxied(variables: Variables, url: string): boolean {
  const values = (pattern: RegExp) =>
    Object.entries(variables).flatMap(([name, value]) => (pattern.test(name) && value !== '' ? [value] : []))
  const { host, hostname } = new URL(url)
  // As Python reads NO_PROXY (urllib.request.proxy_bypass_environment): names with all that is below them.
  const direct = values(/^no_proxy$/i).flatMap((list) =>
    list.split(',').map((name) => name.trim().replace(/^\.+/, '')),
  )
  const isDirect = direct.some(
    (name) => name === '*' || (name !== '' && [host, hostname].some((own) => `.${own}`.endsWith(`.${name}`))),
  )
  return !isDirect && values(/^(https?|all)_proxy$/i).length > 0
}
