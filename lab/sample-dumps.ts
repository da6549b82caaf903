import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type DumpKey, manifestKey, parseDumpKey } from '../src/storage/keys.ts'
import { formatManifest, type Manifest } from '../src/storage/manifest.ts'

/** A key of the given day in November 2026. */
export function keyOf(folder: string, day: number): DumpKey {
  return parseDumpKey(`${folder}/2026-11-${String(day).padStart(2, '0')}-02-00-00-000000.dump`)!
}

/** The manifest of a dump of the given size. */
export function manifestOf(key: DumpKey, size: number): Manifest {
  return {
    version: 1,
    ...key,
    size,
    sha256: 'ab'.repeat(32),
    compression: 'zstd',
    rawBytes: 2 * size,
    rows: 3,
    tables: [{ schema: 'public', name: 'orders', rows: 3, bytes: 60 }],
    serverVersion: '15.18',
    clientVersion: '15.18',
    actionVersion: '1.0.0',
    locale: { encoding: 'UTF8', collate: 'C', ctype: 'C', provider: 'libc', locale: null },
    filters: {},
    durationMs: 5,
    run: { repository: 'o/shop', ref: 'refs/heads/main', sha: 'abc', runId: '1', url: '' },
  }
}

/** The key of a dump of `shop/app/none` or another group, made at an ISO 8601 time in UTC. */
export function keyAt(time: string, group = 'shop/app/none'): string {
  const [seconds = '', fraction = ''] = time.replace('Z', '').split('.')
  return `${group}/${`${seconds}.${fraction.padEnd(6, '0')}`.replace(/[T:.]/g, '-')}.dump`
}

/** A committed dump as storage holds it: its data, which no test reads, and the manifest that fits them. */
export function storedDump(key: string, more: Partial<Manifest> = {}): Record<string, string> {
  const data = `data of ${key}`
  const manifest = { ...manifestOf(parseDumpKey(key)!, data.length), ...more }
  return { [key]: data, [manifestKey(key)]: formatManifest(manifest) }
}

/** Writes objects into a storage folder. */
export function writeFiles(folder: string, objects: Record<string, string>): void {
  for (const [key, text] of Object.entries(objects)) {
    mkdirSync(dirname(join(folder, key)), { recursive: true })
    writeFileSync(join(folder, key), text)
  }
}
