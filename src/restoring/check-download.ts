import { ArchiveError, type ArchiveReport } from '../archive/archive.ts'
import type { LeftOut } from '../database/restore/entry-rules.ts'
import { EncryptionError } from '../encryption/encryption-error.ts'
import { TransientError } from '../errors.ts'
import type { Meter } from '../process/transfer.ts'
import { relationKey, relationName } from '../relation.ts'
import { formatCount, formatNames, formatQuantity } from '../report/format.ts'
import type { Chosen } from '../storage/choose-dump.ts'
import type { TableRows } from '../storage/manifest.ts'

/** The end of the message of a failure, which says what became of the target; empty if there is none. */
export type Consequence = { untouched: string }

/** Explains an error of the archive or of its encryption. One that ends too early usually means that the download did. */
export function explainDamage(
  error: unknown,
  { key, size }: Chosen,
  meter: Meter,
  { untouched }: Consequence,
): unknown {
  if (!(error instanceof ArchiveError || error instanceof EncryptionError)) return error
  const isCutOff = /^the (?:archive|encrypted data) ends/.test(error.message)
  // A chunk that is not authentic was changed, regardless of what would have arrived after it.
  if (meter.bytes < size && (isCutOff || error instanceof ArchiveError)) {
    // An archive that is damaged before its end is damaged in storage, so another attempt would not help.
    const CutOff = isCutOff ? TransientError : Error
    return new CutOff(
      `${key} has ${formatQuantity(size, 'byte')}, but ${formatCount(meter.bytes)} arrived, which is not a complete archive (${error.message})${untouched}`,
      { cause: error },
    )
  }
  return new Error(`${key} is damaged: ${error.message}${untouched}`, { cause: error })
}

type Download = { chosen: Chosen; meter: Meter; archive: ArchiveReport; leftOut: readonly LeftOut[] }

/** Refuses a download whose size, digest or row counts differ from the manifest. */
export function checkReceived(
  { chosen, meter, archive, leftOut }: Download,
  { untouched }: Consequence,
): void {
  const { key, size, manifest } = chosen
  if (meter.bytes !== size) {
    throw new TransientError(
      `${key} has ${formatQuantity(size, 'byte')}, but ${formatCount(meter.bytes)} arrived${untouched}`,
    )
  }
  if (!manifest) return
  if (manifest.sha256 !== meter.sha256) {
    throw new Error(
      `${key} is not what was dumped (SHA-256 ${meter.sha256}, its manifest says ${manifest.sha256}); it was changed or damaged in storage, so use another dump${untouched}`,
    )
  }
  const expected = withoutLeftOut(manifest.tables, leftOut)
  const difference = archive.opaque ? null : describeDifference(expected, archive.tables)
  if (difference) throw new Error(`${key} differs from its manifest: ${difference}${untouched}`)
}

type Counted = Pick<TableRows, 'schema' | 'name' | 'rows'>

/** Returns the tables of a manifest whose data is restored. */
export function withoutLeftOut(tables: readonly TableRows[], leftOut: readonly LeftOut[]): TableRows[] {
  const gone = new Set(
    leftOut
      .filter(({ entry }) => entry.desc === 'TABLE DATA')
      .map(({ entry }) => relationKey({ schema: entry.namespace, name: entry.tag })),
  )
  return tables.filter((table) => !gone.has(relationKey(table)))
}

/** Describes the first tables whose row counts differ, or returns null. A table that could not be counted is equal. */
export function describeDifference(expected: readonly Counted[], found: readonly Counted[]): string | null {
  const rows = new Map(found.map((table) => [relationKey(table), table.rows]))
  const differences = expected.flatMap((table) => {
    const actual = rows.get(relationKey(table))
    if (actual === undefined) return [`${relationName(table)} is missing`]
    if (actual === table.rows || actual === null || table.rows === null) return []
    const more = actual - table.rows
    return [
      `${relationName(table)} has ${formatQuantity(actual, 'row')} instead of ${formatCount(table.rows)} (${more > 0 ? '+' : ''}${formatCount(more)})`,
    ]
  })
  const known = new Set(expected.map(relationKey))
  const surplus = found
    .filter((table) => !known.has(relationKey(table)))
    .map((table) => `${relationName(table)} is not in the manifest`)
  const all = [...differences, ...surplus]
  return all.length === 0 ? null : formatNames(all, 5)
}
