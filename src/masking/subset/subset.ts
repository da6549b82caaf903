import { literal, type Session } from '../../database/connection/session.ts'
import type { Selection } from '../../database/selection.ts'
import { relationKey } from '../../relation.ts'
import { tableText } from '../names.ts'
import type { MaskPlan } from '../plan.ts'
import type { Reference } from '../rules.ts'
import { Computation, type Counts } from './compute.ts'
import { checkConditions } from './conditions.ts'
import {
  buildGraph,
  type Graph,
  isFiltered,
  type Link,
  linkText,
  type ResolvedReference,
  type SubsetTable,
  subsetTables,
} from './graph.ts'
import { countAlone, isIndependent } from './independent.ts'
import { KeyTables } from './key-tables.ts'
import type { FilteredTable, Subset } from './result.ts'
import { planSchedule, type Schedule } from './schedule.ts'
import {
  type CatalogRelation,
  readComparisons,
  readKeys,
  readRelations,
  temporaryTablesProblem,
} from './subset-catalog.ts'

/** What a subset is computed from. */
export type SubsetOptions = {
  plan: MaskPlan
  references: readonly Reference[]
  selection: Selection
  /** The snapshot of the dump. */
  snapshot: string
}

/**
 * Computes which rows a dump contains: a row stays when its own condition holds and every row to which it refers stays; of
 * a table with `rows: referenced`, only rows to which kept rows refer. The session is left in a read-only transaction on the
 * snapshot, with temporary tables that the conditions of the result need.
 *
 * @returns null if the mask file leaves out nothing but the rows of tables to which nothing refers
 * @throws an Error if the session cannot have temporary tables, or if the server refuses a condition
 */
export async function computeSubset(session: Session, options: SubsetOptions): Promise<Subset | null> {
  const { plan, snapshot } = options
  const graph = await readGraph(session, options)
  if (!graph.tables.some(isFiltered)) return null
  const schedule = planSchedule(graph)
  const problem = await temporaryTablesProblem(session)
  if (problem !== null && !isIndependent(graph)) throw new Error(explainTemporary(plan, problem))
  await checkSource(session, plan, schedule)
  if (problem !== null) return countApart(session, options, graph)
  const sql = new KeyTables(schedule.links)
  const computation = new Computation(session, plan.file, sql, schedule)
  await session.executeTogether(...computation.create())
  await joinSnapshot(session, snapshot)
  const counts = await computation.run()
  const tables = graph.tables.filter(({ rows }) => rows !== 'none')
  return {
    filtered: tables.filter(isFiltered).map((table) => describe(table, counts.get(table)!, schedule, sql)),
    whole: wholeTables(graph),
    dangling: await findDangling(session, schedule, sql),
  }
}

function joinSnapshot(session: Session, snapshot: string): Promise<void> {
  return session.execute(
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    `SET TRANSACTION SNAPSHOT ${literal(snapshot)}`,
  )
}

function explainTemporary({ file }: MaskPlan, problem: string): string {
  return `mask ${file} leaves out rows to which others could refer, which takes temporary tables on the source: ${problem}`
}

/** Counts the rows of each table by itself, where there cannot be temporary tables and nothing refers to what is left out. */
async function countApart(
  session: Session,
  { plan, snapshot }: SubsetOptions,
  graph: Graph,
): Promise<Subset> {
  await joinSnapshot(session, snapshot)
  const filtered: FilteredTable[] = []
  for (const table of graph.tables.filter(isFiltered))
    filtered.push(await countAlone(session, plan.file, table))
  return { filtered, whole: wholeTables(graph), dangling: [] }
}

function wholeTables({ tables }: Graph): Subset['whole'] {
  return tables
    .filter((table) => table.rows !== 'none' && !isFiltered(table))
    .map(({ schema, name, parts }) => ({ schema, name, bytes: bytesOf(parts) }))
}

async function readGraph(session: Session, { plan, references, selection }: SubsetOptions) {
  const relations = await readRelations(session, selection)
  const tables = subsetTables(relations, plan)
  const resolved = await resolveReferences(session, plan, references, tables, relations)
  return buildGraph(tables, relations, await readKeys(session), resolved, plan)
}

/** Finds the tables of references. One that names something that is not dumped has been reported before. */
async function resolveReferences(
  session: Session,
  { file }: MaskPlan,
  references: readonly Reference[],
  tables: readonly SubsetTable[],
  relations: readonly CatalogRelation[],
): Promise<ResolvedReference[]> {
  const byName = new Map(tables.map((table) => [relationKey(table), table]))
  const oids = new Map(relations.map((relation) => [relationKey(relation), relation.oid]))
  const resolved: ResolvedReference[] = []
  for (const reference of references) {
    const { from, to, line } = reference
    const [own, target] = [byName.get(relationKey(from.table)), byName.get(relationKey(to.table))]
    if (!own || !target) continue
    const pairs = from.columns.map((column, index) => ({
      ...{ from: oids.get(relationKey(own))!, column },
      ...{ to: oids.get(relationKey(target))!, key: to.columns[index]! },
    }))
    const comparisons = await readComparisons(session, pairs)
    if (comparisons.length < pairs.length) continue
    const strange = comparisons.find(({ types }) => types !== null)
    if (strange)
      throw new Error(
        `mask ${file} line ${line}: columns of the types ${strange.types} cannot be compared; name columns of one type`,
      )
    resolved.push({ ...reference, tables: { from: own, to: target }, comparisons })
  }
  return resolved
}

/** Checks before a row is read that the rows can be computed. */
async function checkSource(session: Session, { file }: MaskPlan, { links, kept }: Schedule): Promise<void> {
  const unsafe = links.find(({ foreignCast }) => foreignCast !== null)
  if (unsafe)
    throw new Error(
      `mask ${file} needs the rows to which ${linkText(unsafe)}, and comparing them would run the function ${unsafe.foreignCast} of a user with the rights of this role; give both columns one type`,
    )
  const readers = new Set([...kept.filter(isFiltered), ...links.map(({ from }) => from)])
  await session.execute('SET default_transaction_read_only = on')
  await checkConditions(session, file, [...readers], links)
  await session.execute('SET default_transaction_read_only = off')
}

function describe(table: SubsetTable, counts: Counts, { links }: Schedule, sql: KeyTables): FilteredTable {
  const own = links.filter(({ from, to }) => from === table && to.restricted)
  return {
    ...{ schema: table.schema, name: table.name, ...counts, bytes: bytesOf(table.parts) },
    targets: [...new Set(own.map(({ to }) => tableText(to)))],
    parts: table.parts
      .filter(({ dumped }) => dumped)
      .map(({ oid, number, schema, name }) => ({
        ...{ oid, schema, name, before: counts.parts.get(number) ?? 0 },
        condition: `ctid IN (SELECT k.place FROM ${sql.kept(table)} AS k WHERE k.part = ${number})`,
      })),
  }
}

function bytesOf(parts: readonly { bytes: number; dumped: boolean }[]): number {
  return parts.reduce((sum, { bytes, dumped }) => sum + (dumped ? bytes : 0), 0)
}

/** Counts references that the source itself violates. They do not keep a row out. */
async function findDangling(session: Session, { links }: Schedule, sql: KeyTables) {
  const dangling: { link: string; rows: number }[] = []
  for (const link of links.filter(mayDangle)) {
    const [row] = await session.query<{ rows: number }>(
      `SELECT count(*) AS rows FROM ${sql.kept(link.from)} AS r WHERE ${sql.dangles(link, 'r')}`,
    )
    if (row!.rows > 0) dangling.push({ link: linkText(link), rows: row!.rows })
  }
  return dangling
}

function mayDangle({ trusted, from }: Link): boolean {
  return !trusted && isFiltered(from)
}
