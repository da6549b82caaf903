import { chmodSync, chownSync, mkdtempSync, readFileSync, statfsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startWatchdog } from './watchdog.ts'

/** A folder that is gone at the end of the scope, or when the test process ends. */
export type TempFolder = AsyncDisposable & { path: string }

/** Makes a temporary folder, which belongs to `owner` when one is given. */
export function tempFolder(name = 'folder', owner?: { uid: number; gid: number }): TempFolder {
  base ??= makeBase()
  const path = mkdtempSync(join(base, `${name}-`))
  chmodSync(path, 0o755)
  if (owner) chownSync(path, owner.uid, owner.gid)
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  }
}

let base: string | undefined

/** A file system in memory, where a new database of three hundred files costs half as much. */
const MEMORY = '/dev/shm'
/** Free bytes that it must have. */
const MEMORY_ROOM = 6e9

function parentOfBase(): string {
  if (isRoomy(MEMORY)) return MEMORY
  // As root we serve unprivileged users as well, who cannot look into a TMPDIR that only root may enter.
  return process.getuid?.() === 0 ? '/tmp' : tmpdir()
}

/** Tells whether a file system is mounted there that has room, and that lets the programs of tests run. */
function isRoomy(path: string): boolean {
  const [, options] =
    new RegExp(`^\\S+ ${path} \\S+ (\\S+)`, 'm').exec(readFileSync('/proc/mounts', 'utf8')) ?? []
  if (options === undefined || options.split(',').includes('noexec')) return false
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize >= MEMORY_ROOM
}

/** The one folder of this process that holds all others. */
function makeBase(): string {
  const path = mkdtempSync(join(parentOfBase(), 'pgclone-test-'))
  chmodSync(path, 0o755)
  // What still writes into it gets a moment to end.
  startWatchdog('sleep 1; rm -rf "$1" || { sleep 3; rm -rf "$1"; }', [path])
  return path
}
