import type { Locale } from '../database/locale.ts'
import type { DumpKey } from './keys.ts'

export type TableRows = { schema: string; name: string; rows: number | null; bytes: number }

/** The record of a dump, stored beside it as `<key>.json` and written last. Nothing is a dump until it exists. */
export type Manifest = {
  version: 1
  key: string
  /** ISO 8601, UTC. */
  createdAt: string
  instance: string
  database: string
  config: string
  /** Stored bytes. */
  size: number
  /** Hex digest of the stored bytes. */
  sha256: string
  compression: string
  /** Uncompressed bytes of all data. */
  rawBytes: number
  /** Rows of all tables in the dump's own snapshot; null when a table's rows could not be counted. */
  rows: number | null
  tables: TableRows[]
  serverVersion: string
  clientVersion: string
  actionVersion: string
  /** Encoding and locale of the source, so that a new target gets the same. */
  locale: Locale
  filters: Record<string, string[] | boolean>
  durationMs: number
  run: { repository: string; ref: string; sha: string; runId: string; url: string }
  /** Written by `verify`: the dump was restored once, and what came out was compared. */
  verified?: { at: string; serverVersion: string }
}

/** A manifest lists tables, so it grows with a schema; beyond this it is none of ours. */
export const LARGEST_MANIFEST = 64 * 1024 * 1024

/** The manifest as it is stored: JSON that people can read. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`
}

/**
 * Reads a manifest and checks what we rely on.
 *
 * @throws an Error that says which field is wrong; a manifest is never half believed.
 */
export function parseManifest(text: string, key: DumpKey): Manifest {
  const wrong = (what: string) =>
    new Error(`The manifest of ${key.key} ${what}; it was altered or is not ours`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong('is not JSON')
  }
  if (typeof value !== 'object' || value === null) throw wrong('is not an object')
  const manifest = value as Record<string, unknown>
  if (manifest.version !== 1)
    throw wrong(`has version ${JSON.stringify(manifest.version)}, and this release reads 1`)
  if (manifest.key !== key.key) throw wrong('names another key')
  if (!Number.isSafeInteger(manifest.size) || (manifest.size as number) <= 0) throw wrong('has no valid size')
  if (typeof manifest.sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(manifest.sha256))
    throw wrong('has no valid sha256')
  for (const name of ['createdAt', 'instance', 'database', 'config'] as const) {
    if (manifest[name] !== key[name]) throw wrong(`has no valid ${name}`)
  }
  for (const name of ['serverVersion', 'clientVersion'] as const) {
    if (typeof manifest[name] !== 'string') throw wrong(`has no valid ${name}`)
  }
  if (!isLocale(manifest.locale)) throw wrong('has no valid locale')
  if (!Array.isArray(manifest.tables) || !manifest.tables.every(isTableRows))
    throw wrong('has no valid tables')
  return value as Manifest
}

/** A restore makes a statement of it. */
function isLocale(value: unknown): value is Locale {
  const { encoding, collate, ctype, provider, locale } = (value ?? {}) as Record<string, unknown>
  return (
    [encoding, collate, ctype, locale ?? ''].every((text) => typeof text === 'string') &&
    ['libc', 'icu', 'builtin'].includes(provider as string)
  )
}

function isTableRows(value: unknown): value is TableRows {
  const { schema, name, rows, bytes } = (value ?? {}) as Record<string, unknown>
  const counted = rows === null || Number.isSafeInteger(rows)
  return typeof schema === 'string' && typeof name === 'string' && counted && Number.isSafeInteger(bytes)
}
