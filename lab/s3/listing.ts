import { invalidArgument } from './error.ts'
import type { Bucket } from './store.ts'
import type { Xml } from './xml.ts'

/** Answers ListObjectsV2. */
export function listObjects(
  name: string,
  bucket: Bucket,
  parameters: URLSearchParams,
  pageSize: number,
): Xml {
  const prefix = parameters.get('prefix') ?? ''
  const delimiter = parameters.get('delimiter') ?? ''
  const token = parameters.get('continuation-token')
  const after = token ? Buffer.from(token, 'base64url').toString() : (parameters.get('start-after') ?? '')
  const maxKeys = Math.min(Number(parameters.get('max-keys') ?? 1000), pageSize)
  const encode = encoder(parameters)
  const entries = entriesAfter(bucket.sortedKeys(), { prefix, delimiter, after })
  const page = entries.slice(0, maxKeys)
  const isTruncated = entries.length > page.length
  const last = page.at(-1)
  return {
    Name: name,
    Prefix: encode(prefix),
    Delimiter: delimiter || undefined,
    EncodingType: parameters.get('encoding-type') ?? undefined,
    MaxKeys: maxKeys,
    KeyCount: page.length,
    IsTruncated: isTruncated,
    ContinuationToken: token ?? undefined,
    NextContinuationToken: isTruncated && last ? Buffer.from(last.last).toString('base64url') : undefined,
    Contents: page
      .filter((entry) => !entry.isPrefix)
      .map((entry) => describeObject(bucket, entry.name, encode)),
    CommonPrefixes: page.filter((entry) => entry.isPrefix).map((entry) => ({ Prefix: encode(entry.name) })),
  }
}

/** Answers ListMultipartUploads. */
export function listUploads(
  name: string,
  bucket: Bucket,
  parameters: URLSearchParams,
  pageSize: number,
): Xml {
  const prefix = parameters.get('prefix') ?? ''
  const marker = [parameters.get('key-marker') ?? '', parameters.get('upload-id-marker') ?? '\uffff'].join(
    '\0',
  )
  const encode = encoder(parameters)
  const all = [...bucket.uploads.values()]
    .filter((upload) => upload.key.startsWith(prefix))
    .map((upload) => ({ ...upload, position: [upload.key, upload.uploadId].join('\0') }))
    .filter((upload) => !parameters.has('key-marker') || upload.position > marker)
    .sort((a, b) => (a.position < b.position ? -1 : 1))
  const page = all.slice(0, Math.min(Number(parameters.get('max-uploads') ?? 1000), pageSize))
  const next = all.length > page.length ? page.at(-1) : undefined
  return {
    Bucket: name,
    Prefix: encode(prefix),
    NextKeyMarker: next && encode(next.key),
    NextUploadIdMarker: next?.uploadId,
    IsTruncated: next !== undefined,
    EncodingType: parameters.get('encoding-type') ?? undefined,
    Upload: page.map(({ key, uploadId, initiated, storageClass }) => ({
      ...{
        Key: encode(key),
        UploadId: uploadId,
        StorageClass: storageClass ?? 'STANDARD',
        Initiated: initiated,
      },
    })),
  }
}

interface Entry {
  name: string
  /** The last key that belongs to the entry: the next page starts after it. */
  last: string
  isPrefix: boolean
}

/** Keys after a position; those that share a prefix up to the delimiter become one entry. */
function entriesAfter(
  keys: string[],
  options: { prefix: string; delimiter: string; after: string },
): Entry[] {
  const { prefix, delimiter, after } = options
  const entries: Entry[] = []
  for (const key of keys) {
    if (!key.startsWith(prefix) || Buffer.compare(Buffer.from(key), Buffer.from(after)) <= 0) continue
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1
    const name = end < 0 ? key : key.slice(0, end + delimiter.length)
    const previous = entries.at(-1)
    if (end >= 0 && previous?.name === name) previous.last = key
    else entries.push({ name, last: key, isPrefix: end >= 0 })
  }
  return entries
}

function describeObject(bucket: Bucket, key: string, encode: (text: string) => string): Xml {
  const { lastModified, etag, size, storageClass } = bucket.objects.get(key)!
  const StorageClass = storageClass ?? 'STANDARD'
  return { Key: encode(key), LastModified: lastModified, ETag: etag, Size: size, StorageClass }
}

function encoder(parameters: URLSearchParams): (text: string) => string {
  const type = parameters.get('encoding-type')
  if (type === null) return (text) => text
  if (type !== 'url') throw invalidArgument('Invalid Encoding Method specified in Request')
  return (text) => encodeURIComponent(text).replaceAll('%2F', '/')
}
