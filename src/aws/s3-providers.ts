/** What is different about an S3 store, as far as it changes the requests. */
export type Provider = {
  name: string
  /** The region that the endpoint names; null when it names none. */
  region: string | null
  /** The region to sign for when nothing else names one; null leaves it to the AWS CLI. */
  defaultRegion: string | null
  /** `when_required` where the trailing checksums of the AWS CLI are refused, or stored inside the object. */
  checksum: 'when_supported' | 'when_required'
  /** How many parts a multipart upload may have. */
  maxParts: number
}

/** S3's own limit, which the AWS CLI plans for (AWS: "Amazon S3 multipart upload limits"). */
const MAX_PARTS = 10_000

const AWS: Provider = {
  name: 'AWS',
  region: null,
  defaultRegion: null,
  checksum: 'when_supported',
  maxParts: MAX_PARTS,
}

/** MinIO, Ceph and most other stores accept this region when their own is not configured. */
const DEFAULT_REGION = 'us-east-1'

const OTHER = {
  region: null,
  defaultRegion: DEFAULT_REGION,
  checksum: 'when_required',
  maxParts: MAX_PARTS,
} as const satisfies Partial<Provider>

/** How a provider is recognised, and what is different about it. */
export type Rule = {
  name: string
  /** Matched against the host name of the endpoint; its first group, if any, is the region. */
  host: RegExp
  region?: string
  maxParts?: number
}

/**
 * Providers by their endpoints, from their own documentation. Only AWS gets the AWS CLI's trailing checksums.
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
      ...OTHER,
      name: rule.name,
      region: rule.region ?? match[1]!,
      maxParts: rule.maxParts ?? MAX_PARTS,
    }
  }
  return { ...OTHER, name: host }
}
