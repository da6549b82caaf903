import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'

/** What a request says about an object beside its bytes. */
export interface Properties {
  contentType?: string
  storageClass?: string
  sse?: string
  sseKmsKeyId?: string
  metadata?: Record<string, string>
}

/** Bytes on disk. */
export interface Blob {
  path: string
  size: number
  md5: Buffer
  /** The checksums that were asked for, by algorithm, in base64. */
  checksums: Record<string, string>
}

/** A stored object. A multipart upload leaves its parts as they are: nothing is copied when it completes. */
export interface StoredObject extends Properties {
  key: string
  size: number
  etag: string
  lastModified: Date
  parts: Blob[]
}

/** A multipart upload that is neither complete nor aborted. */
export interface OpenUpload extends Properties {
  key: string
  uploadId: string
  initiated: Date
  parts: Map<number, Blob>
}

/** Objects and uploads of one bucket, in the order in which S3 lists them. */
export class Bucket {
  readonly objects = new Map<string, StoredObject>()
  readonly uploads = new Map<string, OpenUpload>()

  /** Replaces or creates an object. Readers of the old one have its files open and finish undisturbed. */
  async put(key: string, parts: Blob[], properties: Properties, multipart = false): Promise<StoredObject> {
    const md5 = multipart ? createHash('md5').update(Buffer.concat(parts.map((part) => part.md5))) : undefined
    const etag = md5 ? `"${md5.digest('hex')}-${parts.length}"` : `"${parts[0]!.md5.toString('hex')}"`
    const size = parts.reduce((sum, part) => sum + part.size, 0)
    const old = this.objects.get(key)
    const object = { lastModified: new Date(), ...properties, key, size, etag, parts }
    this.objects.set(key, object)
    await discard(old?.parts)
    return object
  }

  async remove(key: string): Promise<void> {
    const parts = this.objects.get(key)?.parts
    this.objects.delete(key)
    await discard(parts)
  }

  createUpload(key: string, properties: Properties, initiated = new Date()): OpenUpload {
    const upload = {
      key,
      uploadId: randomUUID().replaceAll('-', ''),
      initiated,
      parts: new Map(),
      ...properties,
    }
    this.uploads.set(upload.uploadId, upload)
    return upload
  }

  async abort(uploadId: string): Promise<void> {
    const upload = this.uploads.get(uploadId)
    this.uploads.delete(uploadId)
    await discard([...(upload?.parts.values() ?? [])])
  }

  /** Keys in the order of their UTF-8 bytes. */
  sortedKeys(): string[] {
    return [...this.objects.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }
}

/** Streams bytes into a new file of a folder; nothing of it stays when the stream breaks. */
export async function writeBlob(
  folder: string,
  body: AsyncIterable<Buffer>,
  algorithms: string[],
): Promise<Blob> {
  const path = join(folder, randomUUID())
  const md5 = createHash('md5')
  const digests = algorithms.map((name) => ({ name, ...digest(name) }))
  let size = 0
  const measured = async function* () {
    for await (const chunk of body) {
      size += chunk.length
      for (const hash of [md5, ...digests]) hash.update(chunk)
      yield chunk
    }
  }
  try {
    await pipeline(measured, createWriteStream(path))
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
  const checksums = Object.fromEntries(digests.map((one) => [one.name, one.value()]))
  return { path, size, md5: md5.digest(), checksums }
}

function digest(name: string): { update(chunk: Buffer): void; value(): string } {
  if (name !== 'crc32') {
    const hash = createHash(name)
    return { update: (chunk) => void hash.update(chunk), value: () => hash.digest('base64') }
  }
  let crc = 0
  const update = (chunk: Buffer) => {
    crc = crc32(chunk, crc)
  }
  const value = () => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(crc)
    return bytes.toString('base64')
  }
  return { update, value }
}

/** Opens what a range of an object needs, so that it stays readable when the object is replaced, and streams it. */
export async function openRange(
  object: StoredObject,
  start: number,
  end: number,
): Promise<AsyncGenerator<Buffer>> {
  const slices: { file: FileHandle; from: number; to: number }[] = []
  let offset = 0
  for (const part of object.parts) {
    const from = Math.max(start - offset, 0)
    const to = Math.min(end - offset, part.size)
    if (from < to) slices.push({ file: await open(part.path), from, to })
    offset += part.size
  }
  return readSlices(slices)
}

async function* readSlices(slices: { file: FileHandle; from: number; to: number }[]): AsyncGenerator<Buffer> {
  try {
    for (const { file, from, to } of slices)
      yield* file.createReadStream({ start: from, end: to - 1, autoClose: false, highWaterMark: 256 * 1024 })
  } finally {
    await Promise.all(slices.map(({ file }) => file.close().catch(() => {})))
  }
}

/** All bytes of an object. */
export async function readObject(object: StoredObject): Promise<Buffer> {
  return Buffer.concat(await Promise.all(object.parts.map((part) => readFile(part.path))))
}

async function discard(parts: Blob[] = []): Promise<void> {
  await Promise.all(parts.map((part) => rm(part.path, { force: true })))
}
