import { ArchiveError } from './archive-error.ts'
import type { TocEntry } from './toc.ts'

/** What a `pg_dump` may deliver when a dump is masked. */
export type Deliverable = {
  /** The columns of each table that is kept whole, by the OID of the table. */
  tables: ReadonlyMap<string, readonly string[]>
  largeObjects: boolean
}

const NAME = `(?:"(?:[^"]|"")*"|[^\\s"(),.]+)`
const COPY = new RegExp(`^COPY ${NAME}\\.${NAME} (?:\\((${NAME}(?:, ${NAME})*)\\))? ?FROM stdin;\\n$`)

/**
 * Stops a masked dump when a `pg_dump` delivers data that is not kept whole. Masked tables are left out by its options, so
 * this is a second wall behind them, which shares nothing with the first but the plan.
 *
 * @throws ArchiveError
 */
export function checkDelivered(entries: readonly TocEntry[], { tables, largeObjects }: Deliverable): void {
  for (const entry of entries) {
    if (!entry.hasData || (entry.desc.startsWith('BLOB') && largeObjects)) continue
    const columns = entry.desc === 'TABLE DATA' ? tables.get(entry.oid) : undefined
    const stop = (why: string) =>
      new ArchiveError(
        `mask stopped the step, because pg_dump delivers the data of ${entry.label}, ${why}; nothing of it was kept. Please report this as a defect of the action`,
        0,
      )
    if (!columns) throw stop('which is not kept whole')
    const delivered = columnsOf(entry.copyStatement)
    if (!delivered || delivered.length !== columns.length || delivered.some((name, n) => name !== columns[n]))
      throw stop('whose columns are not those of the plan')
  }
}

/** Returns the columns of a COPY statement as pg_dump writes it, or null if it is another text. */
function columnsOf(copyStatement: string): string[] | null {
  const match = COPY.exec(copyStatement)
  if (!match) return null
  const names = match[1]?.match(new RegExp(NAME, 'g')) ?? []
  return names.map((name) => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name))
}
