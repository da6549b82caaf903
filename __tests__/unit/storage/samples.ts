import { type DumpKey, parseDumpKey } from '../../../src/storage/keys.ts'
import type { Manifest } from '../../../src/storage/manifest.ts'

/** A key of the given day in November 2026. */
export function keyOf(folder: string, day: number): DumpKey {
  return parseDumpKey(`${folder}/2026-11-${String(day).padStart(2, '0')}-02-00-00-000000.dump`)!
}

/** The manifest of a dump with so many bytes. */
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
