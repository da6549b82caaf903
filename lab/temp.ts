import { chmodSync, chownSync, mkdtempSync } from 'node:fs'
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

/** The folder of all temporary folders; `npm test` chooses a file system in memory. */
function parentOfBase(): string {
  // As root we serve unprivileged users as well, who cannot look into a TMPDIR that only root may enter.
  return process.env.PGCLONE_TEST_FOLDER ?? (process.getuid?.() === 0 ? '/tmp' : tmpdir())
}

/** The one folder of this process that holds all others. */
function makeBase(): string {
  const path = mkdtempSync(join(parentOfBase(), 'pgclone-test-'))
  chmodSync(path, 0o755)
  // What still writes into it gets a moment to end.
  startWatchdog('sleep 1; rm -rf "$1" || { sleep 3; rm -rf "$1"; }', [path])
  return path
}
