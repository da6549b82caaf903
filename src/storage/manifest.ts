import type { Locale } from '../database/locale.ts'
import { formatBytes, formatCount } from '../report/format.ts'
import {
  type Check,
  hasShape,
  isCount,
  isLine,
  isListOf,
  isObject,
  isOneOf,
  isRecordOf,
  isText,
  isTime,
  optional,
  orNull,
  wrongField,
} from '../shape.ts'
import { type DumpKey, globalsKey, isEncryptedKey } from './keys.ts'
import type { Source } from './series.ts'

export type TableRows = {
  schema: string
  name: string
  /** Those that the dump has. */
  rows: number | null
  bytes: number
  /** Those that the source had, if the mask file chose among them. */
  rowsBefore?: number
  /** How many of its columns have each mask, if there are any. */
  masks?: Record<string, number>
}

/** How a dump was masked. */
export type MaskRecord = {
  /** Hex digest of the mask file. */
  sha256: string
  /** Tells keys apart without showing them. */
  keyId: string
  /** How many columns have each mask. */
  columns: Record<string, number>
}

/** Encryption by [age](https://age-encryption.org). */
type Encryption = { format: 'age'; recipients: string[] }

/** The record of a dump, stored beside it as `<key>.json` and written last. Nothing is a dump until it exists. */
export type Manifest = {
  version: 1
  key: string
  /** ISO 8601, UTC. */
  createdAt: string
  instance: string
  database: string
  config: string
  /** The true names; earlier releases did not write them. */
  source?: Source
  /** Stored bytes. */
  size: number
  /** Hex digest of the stored bytes. */
  sha256: string
  compression: string
  /** How the stored bytes are encrypted, and the public keys whose owners can read them. */
  encryption?: Encryption
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
  /** Present in a masked dump. */
  mask?: MaskRecord
  /** The roles of the server, stored beside the dump. */
  globals?: { key: string; size: number; sha256: string }
  durationMs: number
  run: { repository: string; ref: string; sha: string; runId: string; url: string }
  /** Written by `verify`: the dump was restored once, and what came out was compared. */
  verified?: { at: string; serverVersion: string }
}

/** Bytes. A manifest lists tables, so it grows with the schema: this is enough for a hundred thousand of them. */
export const MAX_MANIFEST_BYTES = 16 * 1024 * 1024

/**
 * The manifest as it is stored: JSON that people can read, on one line when it would be too large otherwise.
 *
 * @throws an Error when it would be so large that no reader takes it
 */
export function formatManifest(manifest: Manifest): string {
  const texts = [JSON.stringify(manifest, null, 2), JSON.stringify(manifest)]
  const fitting = texts.find((text) => Buffer.byteLength(text) < MAX_MANIFEST_BYTES)
  if (fitting === undefined) {
    throw new Error(
      `The manifest of ${manifest.key} would be larger than ${formatBytes(MAX_MANIFEST_BYTES)}, because the dump has ${formatCount(manifest.tables.length)} tables; dump fewer of them at once (schemas, tables)`,
    )
  }
  return `${fitting}\n`
}

const MAX_NAME_LENGTH = 1000
const MAX_LINE_LENGTH = 2000
const line = isLine(MAX_LINE_LENGTH)
const name = isText(MAX_NAME_LENGTH)
const isRecipient: Check = (value) => line(value) && /^age1[0-9a-z]+$/.test(value as string)

const isDigest: Check = (value) => line(value) && /^[0-9a-f]{64}$/.test(value as string)

const isKeyId: Check = (value) => line(value) && /^[0-9a-f]{16}$/.test(value as string)

/** Everything but what must be equal to the key. */
const FIELDS: Record<Exclude<keyof Manifest, 'version' | keyof DumpKey>, Check> = {
  source: optional(hasShape({ instance: name, host: name, database: name, config: name })),
  size: (value) => isCount(value) && value !== 0,
  sha256: isDigest,
  compression: line,
  encryption: optional(hasShape({ format: isOneOf('age'), recipients: isListOf(isRecipient) })),
  rawBytes: isCount,
  rows: orNull(isCount),
  tables: isListOf(
    hasShape({
      ...{ schema: name, name, rows: orNull(isCount), bytes: isCount },
      ...{ rowsBefore: optional(isCount), masks: optional(isRecordOf(isCount)) },
    }),
  ),
  serverVersion: line,
  clientVersion: line,
  actionVersion: line,
  // A restore makes a statement of it.
  locale: hasShape({
    encoding: line,
    collate: line,
    ctype: line,
    provider: isOneOf('libc', 'icu', 'builtin'),
    locale: optional(orNull(line)),
  }),
  filters: isRecordOf((value) => typeof value === 'boolean' || isListOf(isText(MAX_MANIFEST_BYTES))(value)),
  mask: optional(hasShape({ sha256: isDigest, keyId: isKeyId, columns: isRecordOf(isCount) })),
  globals: optional(hasShape({ key: line, size: isCount, sha256: isDigest })),
  durationMs: isCount,
  run: hasShape({ repository: line, ref: line, sha: line, runId: line, url: line }),
  verified: optional(hasShape({ at: isTime, serverVersion: line })),
}

/**
 * Reads a manifest and checks every field that this release knows: anybody who may write to the place may have written it.
 *
 * @throws an Error that says which field is wrong; a manifest is never half believed.
 */
export function parseManifest(text: string, key: DumpKey): Manifest {
  const wrong = (what: string) =>
    new Error(`The manifest of ${key.key} ${what}; it was altered, or another program wrote it`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong('is not JSON')
  }
  if (!isObject(value)) throw wrong('is not an object')
  if (value.version !== 1) {
    throw new Error(
      `The manifest of ${key.key} has version ${shorten(value.version)}, and this release reads version 1; use the release of the action that wrote it, or a newer one`,
    )
  }
  if (value.key !== key.key) throw wrong('names another key')
  const known = ['createdAt', 'instance', 'database', 'config'] as const
  const field = known.find((part) => value[part] !== key[part]) ?? wrongField(value, FIELDS)
  if (field) throw wrong(`has no valid ${field}`)
  if (isEncryptedKey(key.key) !== (value.encryption !== undefined)) throw wrong('has no valid encryption')
  const manifest = value as Manifest
  // A restore reads this object, and prune deletes it.
  if (manifest.globals && !isGlobalsOf(manifest.globals, key)) throw wrong('has no valid globals')
  return manifest
}

function isGlobalsOf({ key, size }: NonNullable<Manifest['globals']>, dump: DumpKey): boolean {
  return key === globalsKey(dump.key) && size <= MAX_MANIFEST_BYTES
}

function shorten(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 20)
}
