/** Subsets of databases, computed as a dump does. */

import type { Session } from '../../src/database/connection/session.ts'
import type { Contents } from '../../src/database/pg-dump.ts'
import { resolveFilters } from '../../src/database/selection.ts'
import { exportSnapshot } from '../../src/database/snapshot.ts'
import { parseMaskFile } from '../../src/masking/mask-file.ts'
import { planMasks } from '../../src/masking/plan.ts'
import { readTables } from '../../src/masking/read-tables.ts'
import type { Subset } from '../../src/masking/subset/result.ts'
import { computeSubset } from '../../src/masking/subset/subset.ts'
import type { Address } from '../postgres/session.ts'
import { EVERYTHING } from '../postgres/whole-database.ts'
import type { SessionBench } from './session-bench.ts'

/** A computed subset, and a way to read its rows in the session that has them. */
export type ReadableSubset = {
  subset: Subset | null
  /** Returns values of the rows that stay, of a column of a table of the schema public or of all its partitions, sorted. */
  read(table: string, column: string): Promise<string[]>
}

/** How to compute a subset. */
export type SubsetSetup = { major?: number; contents?: Partial<Contents>; address?: Partial<Address> }

/** Computes the subset of a mask file, and passes it on while its session is open. */
export async function withSubset(
  bench: SessionBench,
  database: string,
  text: string,
  use: (found: ReadableSubset) => Promise<void>,
  { major = 15, contents = {}, address = {} }: SubsetSetup = {},
): Promise<void> {
  await using snapshot = await exportSnapshot(await bench.open(database, address), [])
  const selection = await resolveFilters(snapshot.session, { ...EVERYTHING, ...contents })
  const catalog = await readTables(snapshot.session, { selection, extensions: [], major })
  const file = parseMaskFile('mask.yml', text)
  const plan = planMasks(file, catalog, { pgDumpArgs: [], keepsLargeObjects: false })
  await using session = await bench.open(database, address)
  const options = { plan, references: file.references, selection, snapshot: snapshot.id }
  const subset = await computeSubset(session, options)
  const read: ReadableSubset['read'] = async (name, column) => {
    const table = plan.tables.find((planned) => planned.name === name)!
    if (table.data === 'none') return []
    const filtered = subset?.filtered.find((each) => each.name === name)
    const values: string[] = []
    for (const { oid, schema, name: part } of table.parts) {
      const condition = filtered?.parts.find((each) => each.oid === oid)?.condition ?? 'true'
      values.push(...(await readColumn(session, { schema, part, column, condition })))
    }
    return values.sort()
  }
  await use({ subset, read })
}

async function readColumn(
  session: Session,
  { schema, part, column, condition }: Record<'schema' | 'part' | 'column' | 'condition', string>,
): Promise<string[]> {
  const rows = await session.query<{ value: string }>(
    `SELECT "${column}"::text AS value FROM ONLY "${schema}"."${part}" WHERE ${condition}`,
  )
  return rows.map(({ value }) => value)
}
