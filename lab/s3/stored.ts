import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { manifestOf } from '../../__tests__/unit/storage/samples.ts'
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
