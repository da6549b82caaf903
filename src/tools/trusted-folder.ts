import { lstat, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

const WRITABLE_BY_OTHERS = 0o022
const WRITABLE_BY_ALL = 0o002
/** In a folder with this bit, only the owner of an entry can rename or remove it (inode(7)). */
const STICKY = 0o1000

/**
 * Whether nobody but this user and root can have put `path` below `folder`, or can change it: all folders from `folder` on
 * and the file itself belong to one of the two, and no other user can write to them. Windows has neither owners nor modes of this
 * kind; there the folders of the runner inherit the rights that its installation gave them.
 */
export async function isTrusted(folder: string, path: string): Promise<boolean> {
  if (!process.getuid) return true
  const realFolder = await realpath(folder).catch(() => null)
  const realPath = await realpath(path).catch(() => null)
  if (realFolder === null || realPath === null) return false
  const below = relative(realFolder, realPath)
  if (below === '..' || below.startsWith(`..${sep}`)) return false
  const steps = below === '' ? [] : below.split(sep)
  const paths = [
    folder,
    realFolder,
    ...steps.map((_, index) => join(realFolder, ...steps.slice(0, index + 1))),
  ]
  return (await Promise.all(paths.map(belongsToUs))).every(Boolean)
}

async function belongsToUs(path: string): Promise<boolean> {
  const entry = await lstat(path)
  const isOurs = entry.uid === 0 || entry.uid === process.getuid?.()
  // The mode of a link means nothing: its owner and its target decide.
  return isOurs && (entry.isSymbolicLink() || (entry.mode & WRITABLE_BY_OTHERS) === 0)
}

/**
 * Whether another user could replace what this one puts into a folder. A folder of another user is
 * possible: in a job container the runner's folders belong to the runner, and this step runs as root.
 */
export async function letsOthersReplace(folder: string): Promise<boolean> {
  if (!process.getuid) return false
  const mode = await stat(folder).then(
    (entry) => entry.mode,
    () => 0,
  )
  return (mode & WRITABLE_BY_ALL) !== 0 && (mode & STICKY) === 0
}
