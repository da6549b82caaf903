import { type FileHandle, mkdir, open, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'

/**
 * The part of zip (PKWARE APPNOTE) that is needed to unpack the AWS CLI in small containers, which have neither `unzip`
 * nor Python.
 */

const FIRST_ENTRY = 0x04034b50
const ENTRY_HEADER_SIZE = 30
const DIRECTORY_ENTRY = 0x02014b50
const DIRECTORY_ENTRY_SIZE = 46
const END_RECORD = 'PK\x05\x06'
const END_RECORD_SIZE = 22
const MAX_COMMENT_SIZE = 65_535

const STORED = 0
const DEFLATED = 8
const ENCRYPTED = 1
/** The rights of a file that are kept: nobody but its owner may change a program. */
const FILE_MODES = 0o755
/** The type of a file in Unix's `st_mode`, and that of a symbolic link. */
const FILE_TYPE = 0o170000
const SYMBOLIC_LINK = 0o120000

const FOLDER = { recursive: true, mode: FILE_MODES }

const inflate = promisify(inflateRaw)

type Entry = {
  name: string
  mode: number
  method: number
  crc: number
  packed: number
  size: number
  at: number
}

/**
 * Throws unless a file is a zip from its first to its last byte: it starts with an entry, ends with the end record and
 * its comment, and has room for the central directory that the record describes (4.3.16). A truncated download and a
 * login page are not.
 */
export async function assertWholeZip(file: string): Promise<void> {
  await using handle = await open(file)
  await readDirectory(handle)
}

/** Unpacks a zip below a folder. @throws when it is damaged, or when an entry would be written outside of the folder. */
export async function unzip(file: string, folder: string): Promise<void> {
  await using handle = await open(file)
  for (const entry of entriesOf(await readDirectory(handle))) {
    const path = join(folder, safeName(entry.name))
    if (entry.name.endsWith('/')) await mkdir(path, FOLDER)
    else {
      await mkdir(dirname(path), FOLDER)
      await writeEntry(entry, path, await contentOf(handle, entry))
    }
  }
}

/** Writes a file, or a link to another file of the folder. An existing file is never overwritten. */
async function writeEntry({ name, mode }: Entry, path: string, content: Buffer): Promise<void> {
  if ((mode & FILE_TYPE) !== SYMBOLIC_LINK) {
    return writeFile(path, content, { mode: mode & FILE_MODES || 0o644, flag: 'wx' })
  }
  const target = content.toString()
  safeName(posix.join(posix.dirname(name), target))
  if (target.startsWith('/')) throw damaged(name)
  await symlink(target, path)
}

/** Reads bytes of a file, fewer at its end. */
async function read(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

async function readDirectory(handle: FileHandle): Promise<Buffer> {
  const { size } = await handle.stat()
  const first = await read(handle, 0, 4)
  if (first.length < 4 || first.readUInt32LE() !== FIRST_ENTRY)
    throw new Error(`the download is not a zip file (${size} bytes)`)
  const start = Math.max(0, size - END_RECORD_SIZE - MAX_COMMENT_SIZE)
  const tail = await read(handle, start, size - start)
  const at = tail.lastIndexOf(END_RECORD, undefined, 'latin1')
  const record = at < 0 ? undefined : tail.subarray(at)
  const whole =
    record !== undefined &&
    record.length >= END_RECORD_SIZE &&
    record.length === END_RECORD_SIZE + record.readUInt16LE(20) &&
    record.readUInt32LE(12) + record.readUInt32LE(16) <= start + at
  if (!whole) throw new Error(`the downloaded zip is not complete (${size} bytes)`)
  return read(handle, record.readUInt32LE(16), record.readUInt32LE(12))
}

/** The entries that the central directory lists (4.3.12). */
function entriesOf(directory: Buffer): Entry[] {
  const entries: Entry[] = []
  for (let at = 0; at < directory.length; ) {
    const header = directory.subarray(at)
    if (header.length < DIRECTORY_ENTRY_SIZE || header.readUInt32LE() !== DIRECTORY_ENTRY) throw damaged()
    const nameEnd = DIRECTORY_ENTRY_SIZE + header.readUInt16LE(28)
    const name = header.toString('utf8', DIRECTORY_ENTRY_SIZE, nameEnd)
    if (header.readUInt16LE(8) & ENCRYPTED) throw damaged(name)
    entries.push({
      name,
      method: header.readUInt16LE(10),
      crc: header.readUInt32LE(16),
      packed: header.readUInt32LE(20),
      size: header.readUInt32LE(24),
      mode: header.readUInt16LE(40),
      at: header.readUInt32LE(42),
    })
    at += nameEnd + header.readUInt16LE(30) + header.readUInt16LE(32)
  }
  return entries
}

/** @returns the name. @throws when it leads out of the folder */
function safeName(name: string): string {
  const parts = name.replace(/\/$/, '').split('/')
  const isUnsafe = parts.some((part) => ['', '.', '..'].includes(part)) || /[\\:\0]/.test(name)
  if (isUnsafe) throw damaged(name)
  return parts.join('/')
}

async function contentOf(handle: FileHandle, entry: Entry): Promise<Buffer> {
  const { name, method, crc, packed, size, at } = entry
  const header = await read(handle, at, ENTRY_HEADER_SIZE)
  if (header.length < ENTRY_HEADER_SIZE || header.readUInt32LE() !== FIRST_ENTRY) throw damaged(name)
  const start = at + ENTRY_HEADER_SIZE + header.readUInt16LE(26) + header.readUInt16LE(28)
  const bytes = await read(handle, start, packed)
  if (bytes.length !== packed || (method !== STORED && method !== DEFLATED)) throw damaged(name)
  const content =
    method === STORED ? bytes : await inflate(bytes, { maxOutputLength: size || 1 }).catch(() => null)
  if (content?.length !== size || crc32(content) !== crc) throw damaged(name)
  return content
}

function damaged(name?: string): Error {
  return new Error(`the downloaded zip is damaged${name === undefined ? '' : ` at ${JSON.stringify(name)}`}`)
}
