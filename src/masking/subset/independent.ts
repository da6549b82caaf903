import type { Session } from '../../database/connection/session.ts'
import { explainFailure } from './conditions.ts'
import { type Graph, isFiltered, type SubsetTable } from './graph.ts'
import { tableSource } from './key-tables.ts'
import type { FilteredTable } from './result.ts'

/** Whether each table decides about its rows alone, so that no temporary tables are needed. */
export function isIndependent({ tables, links }: Graph): boolean {
  const isLinked = links.some(({ from, to }) => isFiltered(from) && to.restricted)
  return !isLinked && tables.every(({ rows }) => rows !== 'referenced')
}

/** Counts the rows that stay. The condition of the table is evaluated again where they are read. */
export async function countAlone(session: Session, file: string, table: SubsetTable): Promise<FilteredTable> {
  const own = typeof table.rows === 'object' ? table.rows.condition : 'true'
  const counts = { before: 0, after: 0, bytes: 0 }
  const parts: FilteredTable['parts'][number][] = []
  for (const part of table.parts.filter(({ dumped }) => dumped)) {
    const { oid, schema, name } = part
    const where = part.condition ?? ''
    try {
      const [row] = await session.query<{ before: number; after: number }>(
        `SELECT count(*) AS before, count(*) FILTER (WHERE (${own}\n)) AS after FROM ${tableSource(table, part)} ${where}`,
      )
      counts.before += row!.before
      counts.after += row!.after
      parts.push({ oid, schema, name, before: row!.before, condition: own })
    } catch (error) {
      throw explainFailure(error, file, [table], [])
    }
    counts.bytes += part.bytes
  }
  const condition = counts.before - counts.after
  const reasons = { condition, reference: 0, unreferenced: 0, targets: [] }
  return { schema: table.schema, name: table.name, ...counts, ...reasons, parts }
}
