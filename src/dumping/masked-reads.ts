import type { Session } from '../database/connection/session.ts'
import type { LargeTable } from '../database/large-tables.ts'
import { oidArray } from '../database/selection.ts'
import { maskedSelect } from '../masking/masked-select.ts'
import type { MaskPlan, PlannedTable } from '../masking/plan.ts'
import type { Part } from '../masking/tables.ts'
import type { Relation } from '../relation.ts'
import { type PageShares, type Pages, pageRead, pageShares } from './page-reads.ts'
import type { TableRead } from './table-reader.ts'

/** The first version whose `pg_dump` loads some partitions through the root of their tree. */
const FIRST_WITH_ROOT_LOAD = 16

/** What is read by queries, and how large it is. */
export type ReadNeed = {
  plan: MaskPlan
  /** All relations of the plan whose rows are dumped, which the session has locked. */
  locked: ReadonlyMap<string, Pages>
  /** Tables that can be read by ranges of pages. Those that are kept whole are then read in this way, too. */
  paged: readonly LargeTable[]
  clientMajor: number
  /** The conditions of the rows that stay, of tables of which some are left out. */
  conditions: ReadonlyMap<string, string>
}

/** Returns how to read the masked tables of a plan, and the large ones among those that are kept whole. */
export async function planMaskedReads(session: Session, need: ReadNeed): Promise<TableRead[]> {
  const { plan, locked, paged, clientMajor, conditions } = need
  const large = new Map(paged.filter(({ hasPages }) => hasPages).map((table) => [table.oid, table]))
  const masked = partsOf(plan, 'masked')
  const roots =
    clientMajor >= FIRST_WITH_ROOT_LOAD
      ? await readLoadRoots(
          session,
          masked.map(({ part }) => part.oid),
        )
      : new Map<string, Relation>()
  const reads = masked.map(({ table, part }) => {
    const condition = conditions.get(part.oid)
    const pages = large.has(part.oid) ? locked.get(part.oid)! : null
    const shares = condition ? oneShare(condition) : pages ? pageShares(pages) : oneShare(undefined)
    return maskedRead(table, part, shares, roots.get(part.oid))
  })
  const kept = partsOf(plan, 'keep').flatMap(({ part }) => {
    const [table, pages] = [large.get(part.oid), locked.get(part.oid)]
    return table && pages?.columns ? pageRead(table, { ...pages, columns: pages.columns }) : []
  })
  return [...reads, ...kept]
}

/** Returns the relations that hold the rows of the tables of a plan with this treatment, each with its table. */
export function partsOf(
  { tables }: MaskPlan,
  data: PlannedTable['data'],
): { table: PlannedTable; part: Part }[] {
  return tables
    .filter((table) => table.data === data)
    .flatMap((table) => table.parts.map((part) => ({ table, part })))
}

const oneShare = (condition: string | undefined): PageShares => ({ shares: 1, condition: () => condition })

function maskedRead(
  table: PlannedTable,
  part: Part,
  { shares, condition }: PageShares,
  loadInto: Relation | undefined,
): TableRead {
  const { columns, select } = maskedSelect(table, part)
  const read = { table: part, columns, shares, select: (share: number) => select(condition(share)) }
  return loadInto ? { ...read, loadInto } : read
}

/**
 * Returns the roots through which rows of partitions have to be loaded, because a partition is chosen by the hash of an
 * enum, which another database computes from other OIDs (`getPartitioningInfo` in pg_dump.c).
 */
async function readLoadRoots(session: Session, oids: readonly string[]): Promise<Map<string, Relation>> {
  const roots = await session.query<Relation & { oid: string }>(`
    WITH RECURSIVE up AS (
      SELECT oid AS part, oid, 0 AS level FROM unnest(${oidArray(oids)}) AS o (oid)
      UNION ALL
      SELECT up.part, i.inhparent, up.level + 1 FROM up JOIN pg_class AS c ON c.oid = up.oid AND c.relispartition
        JOIN pg_inherits AS i ON i.inhrelid = up.oid
    )
    SELECT DISTINCT ON (up.part) up.part::text AS oid, n.nspname AS schema, c.relname AS name
    FROM up JOIN pg_class AS c ON c.oid = up.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE up.part IN (
      SELECT up.part FROM up JOIN pg_partitioned_table AS p ON p.partrelid = up.oid AND p.partstrat = 'h'
        JOIN pg_opclass AS o ON o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops' AND o.opcnamespace = 'pg_catalog'::regnamespace)
    ORDER BY up.part, up.level DESC`)
  return new Map(roots.map(({ oid, schema, name }) => [oid, { schema, name }]))
}
