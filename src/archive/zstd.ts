const MAGIC = 0xfd2fb528
const RAW_BLOCK_TYPES = 3 // raw, run-length, compressed; 3 is reserved

/**
 * Returns the content size of a buffer that is exactly one zstd frame of declared size (RFC 8878, section 3.1.1), else
 * null. Only the headers are read.
 */
export function wholeFrameSize(bytes: Buffer): number | null {
  if (bytes.length < 9 || bytes.readUInt32LE(0) !== MAGIC) return null
  const descriptor = bytes[4]!
  const single = (descriptor & 0x20) !== 0
  const hasChecksum = (descriptor & 0x04) !== 0
  const dictionarySize = [0, 1, 2, 4][descriptor & 3]!
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  const sizeAt = 5 + (single ? 0 : 1) + dictionarySize
  if (sizeBytes === 0 || bytes.length < sizeAt + sizeBytes) return null
  const end = blocksEnd(bytes, sizeAt + sizeBytes)
  if (end === null || end + (hasChecksum ? 4 : 0) !== bytes.length) return null
  if (sizeBytes === 8) return Number(bytes.readBigUInt64LE(sizeAt))
  return bytes.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
}

/** Returns the end of the last of the blocks that begin at `start`, or null if they do not end within `bytes`. */
function blocksEnd(bytes: Buffer, start: number): number | null {
  for (let at = start; at + 3 <= bytes.length; ) {
    const header = bytes.readUIntLE(at, 3)
    const type = (header >> 1) & 3
    if (type >= RAW_BLOCK_TYPES) return null
    at += 3 + (type === 1 ? 1 : header >> 3)
    if (header & 1) return at
  }
  return null
}
