import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { manifestKey, parseDumpKey } from '../../src/storage/keys.ts'
import { formatManifest, type Manifest } from '../../src/storage/manifest.ts'

/** The key of a dump of `shop/app/none` or another group, made at an ISO 8601 time in UTC. */
export function keyAt(time: string, group = 'shop/app/none'): string {
  const [seconds = '', fraction = ''] = time.replace('Z', '').split('.')
  return `${group}/${`${seconds}.${fraction.padEnd(6, '0')}`.replace(/[T:.]/g, '-')}.dump`
}

/** A committed dump as storage holds it: its data, which no test reads, and the manifest that fits them. */
export function storedDump(key: string, more: Partial<Manifest> = {}): Record<string, string> {
  const data = `data of ${key}`
  const manifest: Manifest = {
    version: 1,
    ...parseDumpKey(key)!,
    size: data.length,
    sha256: createHash('sha256').update(data).digest('hex'),
    compression: 'zstd',
    rawBytes: data.length,
    rows: 1,
    tables: [{ schema: 'public', name: 'orders', rows: 1, bytes: data.length }],
    serverVersion: '15.18',
    clientVersion: '15.18',
    actionVersion: '0.1.0',
    locale: { encoding: 'UTF8', collate: 'C', ctype: 'C' } as Manifest['locale'],
    filters: {},
    durationMs: 1,
    run: { repository: '', ref: '', sha: '', runId: '', url: '' },
    ...more,
  }
  return { [key]: data, [manifestKey(key)]: formatManifest(manifest) }
}

/** Writes objects into a storage folder. */
export function writeFiles(folder: string, objects: Record<string, string>): void {
  for (const [key, text] of Object.entries(objects)) {
    mkdirSync(dirname(join(folder, key)), { recursive: true })
    writeFileSync(join(folder, key), text)
  }
}
