import { open } from 'node:fs/promises'

const FIRST_ENTRY = 'PK\x03\x04'
const END_RECORD = 'PK\x05\x06'
const END_RECORD_SIZE = 22
const LONGEST_COMMENT = 65_535

/**
 * Throws unless a file is a zip from its first to its last byte: it starts with an entry, ends with the end record and
 * its comment, and has room for the central directory that the record tells of (PKWARE APPNOTE 4.3.16). A download that
 * was cut is none, nor is a login page.
 */
export async function assertWholeZip(file: string): Promise<void> {
  await using handle = await open(file)
  const { size } = await handle.stat()
  const read = async (position: number, length: number) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position)
    return buffer.subarray(0, bytesRead)
  }
  if ((await read(0, 4)).toString('latin1') !== FIRST_ENTRY)
    throw new Error(`the download is no zip (${size} bytes)`)
  const start = Math.max(0, size - END_RECORD_SIZE - LONGEST_COMMENT)
  const tail = await read(start, size - start)
  const at = tail.lastIndexOf(END_RECORD, undefined, 'latin1')
  const record = at < 0 ? undefined : tail.subarray(at)
  const whole =
    record !== undefined &&
    record.length >= END_RECORD_SIZE &&
    record.length === END_RECORD_SIZE + record.readUInt16LE(20) &&
    record.readUInt32LE(12) + record.readUInt32LE(16) <= start + at
  if (!whole) throw new Error(`the downloaded zip is not complete (${size} bytes)`)
}
