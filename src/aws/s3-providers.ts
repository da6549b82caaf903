/** What is different about an S3 store, as far as it changes what we ask of it. */
export type Provider = {
  name: string
  /** What requests are signed for; null leaves it to the AWS CLI. */
  region: string | null
  /** `when_required` where the trailing checksums of the AWS CLI are refused, or stored inside the object. */
  checksum: 'when_supported' | 'when_required'
  /** How many parts a multipart upload may have. */
  maxParts: number
}

/** S3's own limit, which the AWS CLI plans for (AWS: "Amazon S3 multipart upload limits"). */
const MOST_PARTS = 10_000

const AWS: Provider = { name: 'AWS', region: null, checksum: 'when_supported', maxParts: MOST_PARTS }

/** Signs for what MinIO, Ceph and most others answer to when nobody has named their region. */
const UNKNOWN_REGION = 'us-east-1'

/** How a provider is known, and what is different about it. */
export type Rule = {
  name: string
  /** Matched against the host name of the endpoint; its first group, if any, is the region. */
  host: RegExp
  region?: string
  maxParts?: number
}

/**
 * Providers by their endpoints, from their own documentation. None but AWS gets the AWS CLI's trailing checksums.
 *
 * - Cloudflare R2: region `auto`, 10,000 parts ("Limits").
 * - DigitalOcean Spaces, Backblaze B2, Wasabi, Hetzner, Exoscale, Oracle, IBM: the region is part of the endpoint.
 * - Scaleway: 1,000 parts ("Multipart uploads").
 * - OVHcloud: 10,000 parts ("Object Storage – Technical limitations"); `io` and the older `perf` endpoints.
 * - Google Cloud Storage: region `auto` in the XML API.
 *
 * MinIO, Ceph and SeaweedFS run under host names of their own; the rule for unknown hosts fits them.
 */
export const PROVIDERS: readonly Rule[] = [
  { name: 'Cloudflare R2', host: /\.r2\.cloudflarestorage\.com$/, region: 'auto' },
  { name: 'DigitalOcean Spaces', host: /(?:^|\.)([a-z0-9]+)\.digitaloceanspaces\.com$/ },
  { name: 'Backblaze B2', host: /(?:^|\.)s3\.([a-z0-9-]+)\.backblazeb2\.com$/ },
  { name: 'Scaleway', host: /(?:^|\.)s3\.([a-z0-9-]+)\.scw\.cloud$/, maxParts: 1000 },
  { name: 'OVHcloud', host: /(?:^|\.)s3\.([a-z0-9-]+)\.(?:io\.|perf\.)?cloud\.ovh\.(?:net|us)$/ },
  { name: 'Wasabi', host: /(?:^|\.)s3\.([a-z0-9-]+)\.wasabisys\.com$/ },
  { name: 'Wasabi', host: /(?:^|\.)s3\.wasabisys\.com$/, region: 'us-east-1' },
  { name: 'Hetzner', host: /(?:^|\.)([a-z0-9]+)\.your-objectstorage\.com$/ },
  { name: 'Exoscale', host: /(?:^|\.)sos-([a-z0-9-]+)\.exo\.io$/ },
  { name: 'Google Cloud Storage', host: /(?:^|\.)storage\.googleapis\.com$/, region: 'auto' },
  { name: 'Tigris', host: /(?:^|\.)(?:fly\.storage\.tigris\.dev|t3\.storage\.dev)$/, region: 'auto' },
  {
    name: 'Oracle Cloud',
    host: /\.compat\.objectstorage\.([a-z0-9-]+)\.(?:oraclecloud\.com|oci\.customer-oci\.com)$/,
  },
  {
    name: 'IBM Cloud',
    host: /(?:^|\.)s3\.(?:private\.|direct\.)?([a-z0-9-]+)\.cloud-object-storage\.appdomain\.cloud$/,
  },
]

/** Endpoints of AWS itself, such as those of a VPC, in all partitions: `s3.eu-central-1.amazonaws.com`, `bucket.vpce-….s3.….vpce.amazonaws.com`. */
const AWS_HOST =
  /(?:^|[.-])s3(?:-fips)?[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$/

/** The provider behind an endpoint; AWS when there is none. */
export function providerOf(endpointUrl: string | null): Provider {
  if (endpointUrl === null) return AWS
  const host = new URL(endpointUrl).hostname
  const region = AWS_HOST.exec(host)?.[1]
  if (region !== undefined) return { ...AWS, region }
  for (const rule of PROVIDERS) {
    const match = rule.host.exec(host)
    if (!match) continue
    return {
      name: rule.name,
      region: rule.region ?? match[1]!,
      checksum: 'when_required',
      maxParts: rule.maxParts ?? MOST_PARTS,
    }
  }
  return { name: host, region: null, checksum: 'when_required', maxParts: MOST_PARTS }
}

/** Region variables: version 1 of the AWS CLI reads the second one only. */
const REGION_VARIABLES = ['AWS_REGION', 'AWS_DEFAULT_REGION'] as const
type Variables = Readonly<Record<string, string | undefined>>

/**
 * The region to sign for: what the inputs say, then what a known endpoint says, then what the job says (which may be
 * about AWS, while the store is elsewhere).
 *
 * @param chosen the input `aws-region`, or empty
 */
export function regionOf(
  provider: Provider,
  endpointUrl: string | null,
  given: { chosen: string; config: Variables; environment: Variables },
): string | null {
  const named = (variables: Variables) =>
    REGION_VARIABLES.map((name) => variables[name]).find((value) => value) ?? null
  return (
    (given.chosen || null) ??
    named(given.config) ??
    provider.region ??
    named(given.environment) ??
    (endpointUrl === null ? null : UNKNOWN_REGION)
  )
}

/** The region as environment of the AWS CLI, whichever of its versions reads it. */
export function regionVariables(region: string | null): Record<string, string> {
  return region === null ? {} : Object.fromEntries(REGION_VARIABLES.map((name) => [name, region]))
}
