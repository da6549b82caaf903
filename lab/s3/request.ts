import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** A line of the request log. */
export interface S3Request {
  method: string
  /** As AWS names it, such as `ListObjectsV2`. */
  operation: string
  bucket: string
  /** Decoded; empty for requests about a bucket. */
  key: string
  /** As it came, without the question mark. */
  query: string
  parameters: URLSearchParams
  headers: IncomingHttpHeaders
  /** What was answered; 0 while there is no answer, or when the connection was broken on purpose. */
  status: number
  errorCode?: string
  /** The keys that a DeleteObjects deleted. */
  deleted?: string[]
  startedAt: number
}

/** Tells what a request wants (path-style addresses only). */
export function describeRequest(message: IncomingMessage): S3Request {
  const [path = '', query = ''] = (message.url ?? '/').split('?')
  const [bucket = '', ...rest] = path.slice(1).split('/')
  const key = decodeURIComponent(rest.join('/'))
  const parameters = new URLSearchParams(query)
  const method = message.method ?? 'GET'
  const operation = operationOf(method, bucket, key, parameters, message.headers)
  const common = { method, operation, bucket, key, query, parameters, headers: message.headers }
  return { ...common, status: 0, startedAt: Date.now() }
}

/** Operation by method and the query parameter that tells them apart; the empty one is the plain request. */
const onObject: Record<string, Record<string, string>> = {
  GET: { uploadId: 'ListParts', '': 'GetObject' },
  HEAD: { '': 'HeadObject' },
  PUT: { partNumber: 'UploadPart', '': 'PutObject' },
  POST: { uploads: 'CreateMultipartUpload', uploadId: 'CompleteMultipartUpload' },
  DELETE: { uploadId: 'AbortMultipartUpload', '': 'DeleteObject' },
}
const onBucket: Record<string, Record<string, string>> = {
  GET: { uploads: 'ListMultipartUploads', location: 'GetBucketLocation', 'list-type': 'ListObjectsV2' },
  HEAD: { '': 'HeadBucket' },
  PUT: { '': 'CreateBucket' },
  POST: { delete: 'DeleteObjects' },
}

function operationOf(
  method: string,
  bucket: string,
  key: string,
  parameters: URLSearchParams,
  headers: IncomingHttpHeaders,
): string {
  if (!bucket) return method === 'GET' ? 'ListBuckets' : 'Unknown'
  if ('x-amz-copy-source' in headers) return 'CopyObject'
  const table = (key ? onObject : onBucket)[method] ?? {}
  const parameter = Object.keys(table).find((name) =>
    name === '' ? isPlain(parameters) : parameters.has(name),
  )
  return parameter === undefined ? 'Unknown' : table[parameter]!
}

/** Parameters that do not ask for a sub-resource such as `?acl` or `?tagging`. */
function isPlain(parameters: URLSearchParams): boolean {
  const plain = /^(x-id|x-amz-.*|response-.*|versionId|partNumber)$/
  return [...parameters.keys()].every((name) => plain.test(name))
}
