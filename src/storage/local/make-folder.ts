import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf } from '../../errors.ts'

/**
 * Creates a folder and those above it. `mkdir` of Node with `recursive` never ends where a file system answers ENOENT for a
 * folder whose parent exists, as /proc does (MKDirpAsync in node_file.cc).
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && dirname(path) !== path) {
      await makeFolder(dirname(path))
      await mkdir(path).catch(ifMissing(path))
    } else await ifMissing(path)(error)
  }
}

/** Accepts an error when the folder exists, because another run created it or its parent is read-only. */
function ifMissing(path: string): (error: unknown) => Promise<void> {
  return async (error) => {
    const exists = await stat(path).then(
      (entry) => entry.isDirectory(),
      () => false,
    )
    if (!exists) throw error
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'the user of this runner may not write there',
  EPERM: 'the user of this runner may not write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a part of the path is a file',
  ENOENT: 'the folder cannot be created there',
}

/** Explains why a folder cannot be written. */
export function unwritable(error: unknown, folder: string): Error {
  const { code = '' } = error as NodeJS.ErrnoException
  const reason = REASONS[code]
  const text = reason ? `${reason} (${code})` : messageOf(error)
  return new Error(`Cannot write to storage-location ${folder}: ${text}`, { cause: error })
}
