import type { IncomingMessage } from 'node:http'
import { decodeAwsChunked } from './chunked.ts'
import { S3Error } from './error.ts'
import { type FaultAction, faultyBody } from './fault.ts'
import type { Quirks } from './quirks.ts'
import { type Blob, writeBlob } from './store.ts'

const algorithms = ['crc32', 'sha1', 'sha256']
const anyChecksum = /^x-amz-checksum-(crc|sha|xx)|^x-amz-trailer$|^content-md5$/

/** Streams the body of a PutObject or UploadPart to disk and checks it against what the client said about it. */
export async function receiveBody(
  message: IncomingMessage,
  options: { folder: string; quirks: Quirks; fault: FaultAction | undefined },
): Promise<Blob> {
  const { headers } = message
  if (options.quirks.requireChecksum && !Object.keys(headers).some((name) => anyChecksum.test(name)))
    throw new S3Error(400, 'InvalidRequest', 'Content-MD5 OR x-amz-checksum- HTTP header is required')
  const trailers = new Map<string, string>()
  const isChunked =
    /aws-chunked/.test(String(headers['content-encoding'])) && !options.quirks.keepChunkFraming
  const raw = faultyBody(message, options.fault, message.socket)
  const announced = `${headers['x-amz-trailer'] ?? ''} ${Object.keys(headers).join(' ')}`
  const wanted = algorithms.filter((name) => announced.includes(`x-amz-checksum-${name}`))
  const blob = await writeBlob(options.folder, isChunked ? decodeAwsChunked(raw, trailers) : raw, wanted)
  const expectedSize = headers[isChunked ? 'x-amz-decoded-content-length' : 'content-length']
  if (expectedSize !== undefined && Number(expectedSize) !== blob.size)
    throw new S3Error(
      400,
      'IncompleteBody',
      'You did not provide the number of bytes specified by Content-Length',
    )
  checkDigests(blob, headers['content-md5'], (name) => trailers.get(name) ?? headers[name]?.toString())
  return blob
}

function checkDigests(blob: Blob, md5: unknown, checksum: (header: string) => string | undefined): void {
  const isWrong = Object.entries(blob.checksums).some(
    ([name, value]) => (checksum(`x-amz-checksum-${name}`) ?? value) !== value,
  )
  if (isWrong || (md5 !== undefined && md5 !== blob.md5.toString('base64')))
    throw new S3Error(400, 'BadDigest', 'The checksum you specified did not match what we received.')
}
