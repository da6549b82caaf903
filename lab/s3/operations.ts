import type { IncomingMessage } from 'node:http'
import * as errors from './error.ts'
import type { FaultAction } from './fault.ts'
import { listObjects, listUploads } from './listing.ts'
import type { Quirks } from './quirks.ts'
import type { S3Request } from './request.ts'
import { type Bucket, type OpenUpload, openRange, type Properties, type StoredObject } from './store.ts'
import { receiveBody } from './upload-body.ts'
import { elements, elementText, xmlDocument } from './xml.ts'

/** What an operation may use. */
export interface Context {
  request: S3Request
  message: IncomingMessage
  buckets: Map<string, Bucket>
  makeBucket: () => Bucket
  folder: string
  quirks: Quirks
  fault: FaultAction | undefined
}

/** What is sent back. */
export interface Answer {
  status?: number
  headers?: Record<string, string>
  body?: string | AsyncIterable<Buffer>
}

type Operation = (context: Context) => Answer | Promise<Answer>

/** The operations of S3 that the Action, the AWS CLI and the tests need. */
export const operations: Record<string, Operation> = {
  ListBuckets: ({ buckets }) => {
    const list = [...buckets.keys()].map((Name) => ({ Name, CreationDate: new Date(0) }))
    return { body: xmlDocument('ListAllMyBucketsResult', { Buckets: { Bucket: list } }) }
  },
  CreateBucket: ({ buckets, request, makeBucket }) => {
    if (buckets.has(request.bucket)) throw new errors.S3Error(409, 'BucketAlreadyOwnedByYou')
    buckets.set(request.bucket, makeBucket())
    return { headers: { location: `/${request.bucket}` } }
  },
  HeadBucket: (context) => {
    bucketOf(context)
    return {}
  },
  GetBucketLocation: (context) => {
    bucketOf(context)
    return { body: xmlDocument('LocationConstraint', '') }
  },
  ListObjectsV2: (context) => {
    const { request, quirks } = context
    const list = listObjects(request.bucket, bucketOf(context), request.parameters, quirks.pageSize ?? 1000)
    const cut = quirks.noContinuation ? { IsTruncated: true, NextContinuationToken: undefined } : {}
    return { body: xmlDocument('ListBucketResult', { ...(list as object), ...cut }) }
  },
  ListMultipartUploads: (context) => {
    const { request, quirks } = context
    if (quirks.noUploadListing) throw errors.notImplemented()
    const list = listUploads(request.bucket, bucketOf(context), request.parameters, quirks.pageSize ?? 1000)
    return { body: xmlDocument('ListMultipartUploadsResult', list) }
  },
  HeadObject: (context) => readObject(context),
  GetObject: (context) => readObject(context),
  PutObject: putObject,
  DeleteObject: async (context) => {
    const { request, quirks } = context
    const refusal = refusalOf(context, request.key)
    if (refusal) throw new errors.S3Error(403, refusal.Code, refusal.Message)
    await bucketOf(context).remove(request.key)
    request.deleted = [request.key]
    return { status: 204, headers: quirks.versions ? { 'x-amz-delete-marker': 'true' } : {} }
  },
  DeleteObjects: deleteObjects,
  CreateMultipartUpload: (context) => {
    const { bucket, key } = context.request
    const { uploadId } = bucketOf(context).createUpload(key, propertiesOf(context.message))
    return {
      body: xmlDocument('InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: uploadId }),
    }
  },
  UploadPart: uploadPart,
  ListParts: listParts,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: async (context) => {
    await bucketOf(context).abort(uploadOf(context).uploadId)
    return { status: 204 }
  },
}

function bucketOf({ buckets, request }: Context): Bucket {
  const bucket = buckets.get(request.bucket)
  if (!bucket) throw errors.noSuchBucket()
  return bucket
}

function uploadOf(context: Context): OpenUpload {
  const upload = bucketOf(context).uploads.get(context.request.parameters.get('uploadId') ?? '')
  if (upload?.key !== context.request.key) throw errors.noSuchUpload()
  return upload
}

async function readObject(context: Context): Promise<Answer> {
  const { message, request, fault } = context
  const object = bucketOf(context).objects.get(request.key)
  if (!object && context.quirks.hideAbsent) throw new errors.S3Error(403, 'AccessDenied', 'Access Denied')
  if (!object) throw errors.noSuchKey()
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = message.headers
  if (ifMatch !== undefined && ifMatch !== '*' && !sameTag(ifMatch, object.etag))
    throw errors.preconditionFailed()
  if (ifNoneMatch !== undefined && sameTag(ifNoneMatch, object.etag)) return { status: 304 }
  const range = fault?.type === 'ignore-range' ? undefined : rangeOf(context, object)
  const [start, end] = range ?? [0, object.size]
  const headers = {
    ...objectHeaders(object),
    'content-length': String(end - start),
    ...(range && { 'content-range': `bytes ${start}-${end - 1}/${object.size}` }),
    ...(request.parameters.has('partNumber') && { 'x-amz-mp-parts-count': String(object.parts.length) }),
  }
  const status = range ? 206 : 200
  if (request.method === 'HEAD') return { status, headers }
  return { status, headers, body: await openRange(object, start, end) }
}

function rangeOf({ message, request }: Context, object: StoredObject): [number, number] | undefined {
  const partNumber = request.parameters.get('partNumber')
  if (partNumber !== null) return rangeOfPart(object, Number(partNumber))
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(message.headers.range ?? '') ?? []
  if (first === undefined || (first === '' && last === '')) return undefined
  const start = first === '' ? Math.max(object.size - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? object.size : Math.min(Number(last) + 1, object.size)
  if (start >= end) throw new errors.S3Error(416, 'InvalidRange', 'The requested range is not satisfiable')
  return [start, end]
}

function rangeOfPart(object: StoredObject, partNumber: number): [number, number] | undefined {
  const part = object.parts[partNumber - 1]
  if (!part) throw new errors.S3Error(416, 'InvalidPartNumber', 'The requested partnumber is not satisfiable')
  if (object.size === 0) return undefined
  const start = object.parts.slice(0, partNumber - 1).reduce((sum, one) => sum + one.size, 0)
  return [start, start + part.size]
}

async function putObject(context: Context): Promise<Answer> {
  const { request, message } = context
  const bucket = bucketOf(context)
  checkAbsent(context, bucket)
  const blob = await receiveBody(message, context)
  // Again: another writer may have been quicker.
  checkAbsent(context, bucket)
  const object = await bucket.put(request.key, [blob], propertiesOf(message))
  return { headers: { etag: object.etag, ...encryptionHeaders(object) } }
}

function checkAbsent({ request, message, quirks }: Context, bucket: Bucket): void {
  const isConditional = message.headers['if-none-match'] === '*' && !quirks.ignoreConditions
  if (isConditional && bucket.objects.has(request.key)) throw errors.preconditionFailed()
}

async function deleteObjects(context: Context): Promise<Answer> {
  const { quirks } = context
  if (quirks.noMultiDelete) throw errors.notImplemented()
  const bucket = bucketOf(context)
  const xml = await readText(context.message)
  const keys = elements(xml, 'Object').map((element) => elementText(element, 'Key') ?? '')
  if (keys.length === 0 || keys.length > 1000) throw errors.malformedXml()
  const deleted = keys.filter((key) => !refusalOf(context, key))
  for (const key of deleted) await bucket.remove(key)
  context.request.deleted = deleted
  const isQuiet = elementText(xml, 'Quiet') === 'true'
  const marker = quirks.versions ? { DeleteMarker: true } : {}
  const answer = {
    Deleted: isQuiet ? [] : deleted.map((Key) => ({ Key, ...marker })),
    Error: keys.flatMap((Key) => {
      const refusal = refusalOf(context, Key)
      return refusal ? [{ Key, ...refusal }] : []
    }),
  }
  return { body: xmlDocument('DeleteResult', answer) }
}

/** Why a key may not be deleted, in the words of AWS. */
function refusalOf({ quirks }: Context, key: string): { Code: string; Message: string } | null {
  if (quirks.locked?.test(key))
    return { Code: 'AccessDenied', Message: 'Access Denied because object protected by object lock.' }
  return quirks.undeletable?.test(key) ? { Code: 'AccessDenied', Message: 'Access Denied' } : null
}

async function uploadPart(context: Context): Promise<Answer> {
  const upload = uploadOf(context)
  const partNumber = Number(context.request.parameters.get('partNumber'))
  const maxParts = context.quirks.maxParts ?? 10_000
  if (!(partNumber >= 1 && partNumber <= maxParts))
    throw errors.invalidArgument(`Part number must be an integer between 1 and ${maxParts}, inclusive`)
  const blob = await receiveBody(context.message, context)
  // An abort while the part was on its way.
  uploadOf(context)
  upload.parts.set(partNumber, blob)
  return { headers: { etag: quoted(blob.md5), ...encryptionHeaders(upload) } }
}

function listParts(context: Context): Answer {
  const { key, uploadId, parts, initiated } = uploadOf(context)
  const list = [...parts].sort(([a], [b]) => a - b)
  const Part = list.map(([PartNumber, { md5, size }]) => ({
    ...{ PartNumber, LastModified: initiated, ETag: quoted(md5), Size: size },
  }))
  const content = { Bucket: context.request.bucket, Key: key, UploadId: uploadId, IsTruncated: false, Part }
  return { body: xmlDocument('ListPartsResult', content) }
}

async function completeUpload(context: Context): Promise<Answer> {
  const { request, message } = context
  const bucket = bucketOf(context)
  const xml = await readText(message)
  const upload = uploadOf(context)
  const wanted = elements(xml, 'Part').map((part) => ({
    number: Number(elementText(part, 'PartNumber')),
    etag: elementText(part, 'ETag') ?? '',
  }))
  if (wanted.length === 0) throw errors.malformedXml()
  if (wanted.some((part, index) => index > 0 && part.number <= wanted[index - 1]!.number))
    throw new errors.S3Error(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.')
  const parts = wanted.map(({ number, etag }) => {
    const part = upload.parts.get(number)
    if (!part || !sameTag(etag, quoted(part.md5)))
      throw new errors.S3Error(400, 'InvalidPart', 'One or more of the specified parts could not be found.')
    return part
  })
  if (parts.slice(0, -1).some((part) => part.size < 5 * 1024 * 1024))
    throw new errors.S3Error(
      400,
      'EntityTooSmall',
      'Your proposed upload is smaller than the minimum allowed size',
    )
  checkAbsent(context, bucket)
  bucket.uploads.delete(upload.uploadId)
  const object = await bucket.put(request.key, parts, upload, true)
  const content = { Bucket: request.bucket, Key: request.key, ETag: object.etag }
  return { headers: encryptionHeaders(object), body: xmlDocument('CompleteMultipartUploadResult', content) }
}

function propertiesOf({ headers }: IncomingMessage): Properties {
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'))
  const given = {
    contentType: headers['content-type'],
    storageClass: headers['x-amz-storage-class'],
    sse: headers['x-amz-server-side-encryption'],
    sseKmsKeyId: headers['x-amz-server-side-encryption-aws-kms-key-id'],
    ...(metadata.length > 0 && { metadata: Object.fromEntries(metadata) }),
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function objectHeaders(object: StoredObject): Record<string, string> {
  return {
    etag: object.etag,
    'last-modified': object.lastModified.toUTCString(),
    'accept-ranges': 'bytes',
    'content-type': object.contentType ?? 'binary/octet-stream',
    ...(object.storageClass && { 'x-amz-storage-class': object.storageClass }),
    ...encryptionHeaders(object),
    ...object.metadata,
  }
}

function encryptionHeaders({ sse, sseKmsKeyId }: Properties): Record<string, string> {
  return {
    ...(sse && { 'x-amz-server-side-encryption': sse }),
    ...(sseKmsKeyId && { 'x-amz-server-side-encryption-aws-kms-key-id': sseKmsKeyId }),
  }
}

function quoted(md5: Buffer): string {
  return `"${md5.toString('hex')}"`
}

function sameTag(a: string, b: string): boolean {
  return a.replaceAll('"', '') === b.replaceAll('"', '')
}

async function readText(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
