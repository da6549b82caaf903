import { formatBytes } from '../../report/format.ts'

/** s3transfer's `utils.py`: the AWS CLI begins with this part size and doubles it until all fits into 10,000 parts. */
const CLI_PART = 8 * 1024 ** 2
const CLI_PARTS = 10_000
/** S3's limit, which the providers share ("Amazon S3 multipart upload limits"). */
const LARGEST_PART = 5 * 1024 ** 3

export type PartPlan = {
  /** For `--expected-size`, which is the only way to choose the part size. */
  expectedSize: number
  /** Bytes of a part. */
  partSize: number
  /** Bytes that all parts together hold. */
  capacity: number
}

/**
 * Chooses parts so large that a stream of `expectedBytes` needs no more than `maxParts` of them. The CLI plans for
 * 10,000 and knows no other limit, so a lower one is told as a larger size.
 */
export function planParts(expectedBytes: number, maxParts: number): PartPlan {
  const expectedSize = Math.min(Math.ceil((expectedBytes * CLI_PARTS) / maxParts), LARGEST_PART * CLI_PARTS)
  let partSize = CLI_PART
  while (Math.ceil(expectedSize / partSize) > CLI_PARTS) partSize *= 2
  partSize = Math.min(partSize, LARGEST_PART)
  return { expectedSize, partSize, capacity: partSize * maxParts }
}

/** @returns why a dump of so many bytes cannot be stored, or null */
export function tooLarge(bytes: number, maxParts: number): string | null {
  const most = LARGEST_PART * maxParts
  if (bytes <= most) return null
  return `The database has ${formatBytes(bytes)}, and this store takes no more than ${formatBytes(most)} in one object (${maxParts} parts of ${formatBytes(LARGEST_PART)}, s3-max-parts)`
}

/** Memory of an uploading AWS CLI by measurement: 120 MB, and seven parts in flight or waiting. */
export function uploadMemory({ partSize }: PartPlan): number {
  return 120e6 + 7 * partSize
}
