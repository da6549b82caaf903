import { formatBytes, formatQuantity } from '../../report/format.ts'

/** s3transfer's `utils.py`: the AWS CLI begins with this part size and doubles it until all fits into 10,000 parts. */
const CLI_PART_BYTES = 8 * 1024 ** 2
const CLI_MAX_PARTS = 10_000
/** S3's limit, which the providers share ("Amazon S3 multipart upload limits"). */
const MAX_PART_BYTES = 5 * 1024 ** 3

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
 * 10,000 and has no option for another limit, so a lower one is expressed as a larger size.
 */
export function planParts(expectedBytes: number, maxParts: number): PartPlan {
  const expectedSize = Math.min(
    Math.ceil((expectedBytes * CLI_MAX_PARTS) / maxParts),
    MAX_PART_BYTES * CLI_MAX_PARTS,
  )
  let partSize = CLI_PART_BYTES
  while (Math.ceil(expectedSize / partSize) > CLI_MAX_PARTS) partSize *= 2
  partSize = Math.min(partSize, MAX_PART_BYTES)
  return { expectedSize, partSize, capacity: partSize * maxParts }
}

/** Returns why a dump of that size cannot be stored, or null. */
export function tooLarge(bytes: number, maxParts: number): string | null {
  const most = MAX_PART_BYTES * maxParts
  if (bytes <= most) return null
  return `The database has ${formatBytes(bytes)}, and this store takes at most ${formatBytes(most)} in one object (${formatQuantity(maxParts, 'part')} of ${formatBytes(MAX_PART_BYTES)}); raise s3-max-parts if the provider takes more, or dump less at once`
}

/** Returns the memory of an uploading AWS CLI, as measured: 120 MB, and seven parts in flight or waiting. */
export function uploadMemory({ partSize }: PartPlan): number {
  return 120e6 + 7 * partSize
}
