import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { link, open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { notePending } from '../../leftovers.ts'
import type { Sink, Source } from '../../process/transfer.ts'
import { LONGEST_TRANSFER_MS, type Removal, type Storage, type StoredObject, TakenError } from '../storage.ts'
import { makeFolder, unwritable } from './make-folder.ts'

/** Names of files that are being written. No key has such a name. */
const PARTIAL_PREFIX = '.pgclone-partial-'
const PARTIAL_NAME = /^\.pgclone-partial-[0-9a-f]{16}$/

/** Limits how long work on a file system may take, because a network share may not answer for ever. */
export type Limit = <Result>(work: Promise<Result>, late?: (result: Result) => unknown) => Promise<Result>

/** Returns a folder as the place for dumps. */
export function localStorage(folder: string, limit: Limit = (work) => work): Storage {
  const root = resolve(folder)
  const abort = (end: Sink | Source) => end.abort()
  return {
    address: (key) => join(root, key),
    check: (prefix) => limit(checkFolder(root).then(() => listFiles(root, prefix))),
    list: (prefix) => limit(listFiles(root, prefix)),
    tooLarge: () => null,
    size: (key) => limit(sizeOf(root, key)),
    readBeginning: (key, bytes) => limit(readBeginning(root, key, bytes)),
    readTexts: (keys) => limit(readTexts(root, keys)),
    writeTextOnce: (key, text) => writeText(join(root, key), text, publishOnce),
    replaceText: (key, text) => writeText(join(root, key), text, rename),
    upload: (key) => limit(upload(root, key), abort),
    download: (key) => limit(download(root, key), abort),
    sweep: () => sweepPartial(root),
    // A partial file has a name of its own and is noted as such.
    abandon: async () => false,
    remove: (key) => rm(join(root, key), { force: true }),
    removeAll: (keys) => removeFiles(root, keys),
  }
}

/** Returns the path of a key after symbolic links. @throws an Error when it is not below the root */
async function inside(root: string, key: string): Promise<string> {
  const path = await realpath(join(root, key))
  if (!path.startsWith((await realpath(root)) + sep))
    throw new Error(`${key} leads out of the storage location`)
  return path
}

async function readTexts(root: string, keys: readonly string[]): Promise<Map<string, string>> {
  const texts = keys.map(async (key) => [key, await readFile(await inside(root, key), 'utf8')] as const)
  return new Map(await Promise.all(texts))
}

/** Creates the folder and a file in it. Rights alone do not show whether that is possible. */
async function checkFolder(root: string): Promise<void> {
  const probe = temporaryName(join(root, 'probe'))
  try {
    await makeFolder(root)
    await writeFile(probe, '', { flag: 'wx', mode: 0o600 })
  } catch (error) {
    throw unwritable(error, root)
  }
  await rm(probe, { force: true })
}

async function listFiles(root: string, prefix: string): Promise<StoredObject[]> {
  const entries = await readdir(join(root, prefix), { recursive: true, withFileTypes: true }).catch(
    async (error) => {
      if (error.code === 'ENOENT') return []
      // A prefix that is a file has nothing below it, as in S3; a location that is a file is a mistake.
      if (error.code === 'ENOTDIR' && (await isFolder(root))) return []
      throw new Error(`Cannot list ${join(root, prefix)}: ${error.message}`, { cause: error })
    },
  )
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith(PARTIAL_PREFIX))
  return Promise.all(
    files.map(async (file) => {
      const path = join(file.parentPath, file.name)
      return { key: relative(root, path).split(sep).join('/'), size: (await stat(path)).size }
    }),
  )
}

async function sweepPartial(root: string): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  for (const entry of entries.filter((file) => file.isFile() && PARTIAL_NAME.test(file.name))) {
    const path = join(entry.parentPath, entry.name)
    if (Date.now() - (await stat(path)).mtimeMs > LONGEST_TRANSFER_MS) await rm(path, { force: true })
  }
}

async function removeFiles(root: string, keys: readonly string[]): Promise<Removal> {
  const refused: Removal['refused'] = new Map()
  for (const key of keys) {
    await rm(join(root, key), { force: true }).catch((error) =>
      refused.set(key, { reason: error.message, retained: false }),
    )
  }
  return { refused, versionsStay: false }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  )
}

function sizeOf(root: string, key: string): Promise<number | null> {
  return unlessAbsent(async () => (await stat(await inside(root, key))).size)
}

function readBeginning(root: string, key: string, bytes: number): Promise<Buffer | null> {
  return unlessAbsent(async () => buffer(createReadStream(await inside(root, key), { end: bytes - 1 })))
}

/** Returns null in place of the error that a file does not exist. */
async function unlessAbsent<Result>(work: () => Promise<Result>): Promise<Result | null> {
  try {
    return await work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/**
 * Gives a file its final name unless another file has it, so that the first writer wins.
 *
 * @param hardLink fails where the file system has no hard links (exFAT, many network shares)
 */
export async function publishOnce(temporary: string, path: string, hardLink = link): Promise<void> {
  try {
    await hardLink(temporary, path)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error
    // An empty file claims the name; the rename fills it whole.
    await writeFile(path, '', { flag: 'wx', mode: 0o600 })
    await rename(temporary, path)
  }
}

/** Writes a whole file under another name, then publishes it: `rename` replaces an existing file, `publishOnce` does not. */
async function writeText(
  path: string,
  text: string,
  publish: (temporary: string, path: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(path)
  try {
    await writeFile(temporary, text, { flag: 'wx', mode: 0o600, flush: true })
    await publish(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    throw refusal(error, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

function refusal(error: unknown, key: string): unknown {
  return (error as NodeJS.ErrnoException).code === 'EEXIST' ? new TakenError(key, { cause: error }) : error
}

function temporaryName(path: string): string {
  return join(dirname(path), PARTIAL_PREFIX + randomBytes(8).toString('hex'))
}

/** Makes a new name durable: without it a crash can undo the rename. Folders cannot be synced on Windows. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  await using handle = await open(folder, 'r')
  await handle.sync()
}

/** Writes to a temporary name, syncs and publishes: a file under its final name is always whole and from this run. */
async function upload(root: string, key: string): Promise<Sink> {
  const path = join(root, key)
  await makeFolder(dirname(path)).catch((error) => Promise.reject(unwritable(error, root)))
  await inside(root, dirname(key))
  const temporary = temporaryName(path)
  const forget = notePending({ kind: 'file', path: temporary })
  const stream = createWriteStream(temporary, {
    flags: 'wx',
    mode: 0o600,
    flush: true,
    highWaterMark: 1 << 20,
  })
  const died = new Promise<Error>((resolveDied) =>
    stream.once('error', (error) => resolveDied(unwritable(error, root))),
  )
  return {
    stream,
    died,
    commit: async () => {
      stream.end()
      await Promise.race([finished(stream), died.then((reason) => Promise.reject(reason))])
      await publishOnce(temporary, path).catch((error) => Promise.reject(refusal(error, key)))
      await rm(temporary, { force: true })
      forget()
      await syncFolder(dirname(path))
    },
    abort: async () => {
      stream.destroy()
      await finished(stream).catch(() => undefined)
      await rm(temporary, { force: true })
      forget()
    },
  }
}

async function download(root: string, key: string): Promise<Source> {
  const stream = createReadStream(await inside(root, key), { highWaterMark: 1 << 20 })
  return {
    stream,
    finish: async () => undefined,
    abort: async () => void stream.destroy(),
  }
}
