import type { Session } from '../database/connection/session.ts'
import type { Selection } from '../database/selection.ts'
import type { Relation } from '../relation.ts'
import {
  checksQuery,
  columnsQuery,
  FOREIGN_KEYS_QUERY,
  PARTITION_KEYS_QUERY,
  relationsQuery,
  typesQuery,
  uniqueKeysQuery,
  viewSourcesQuery,
} from './catalog-queries.ts'
import { ask, type Of, type Rows } from './catalog-rows.ts'
import type { Catalog, Column, ForeignKey, Known, Part, Table, UniqueKey } from './tables.ts'

/** The first version whose core has `sha256`, from which masks with a key are made. */
const FIRST_WITH_SHA256 = 11

/** What decides which tables are read. */
export type Scope = {
  selection: Selection
  /** OIDs of the extensions that a dump with filters gets in addition. */
  extensions: readonly string[]
  /** The major version of the server. */
  major: number
}

/**
 * Reads every table whose rows would be dumped. The session is in the transaction whose snapshot the dump uses.
 *
 * @throws an Error when the server is too old to compute masks
 */
export async function readTables(session: Session, scope: Scope): Promise<Catalog> {
  const { selection, extensions, major } = scope
  if (major < FIRST_WITH_SHA256) {
    throw new Error(
      `mask needs PostgreSQL ${FIRST_WITH_SHA256} or later, and this server is ${major}: its core has no sha256 function, from which the masks are made`,
    )
  }
  const relations = await ask(session, 'relations', relationsQuery(selection, extensions))
  const trees = new Trees(relations)
  const parts = await readParts(session, relations, major)
  const partitionKeys = await ask(session, 'partitionKeys', PARTITION_KEYS_QUERY)
  const foreignKeys = await ask(session, 'foreignKeys', FOREIGN_KEYS_QUERY)
  const [largeObjects] = await ask(
    session,
    'largeObjects',
    'SELECT EXISTS (SELECT FROM pg_largeobject_metadata) AS exist',
  )
  return {
    tables: trees.group(parts, partitionKeys),
    known: relations.map((relation) => trees.describe(relation)),
    foreignKeys: foreignKeys.flatMap((key) => trees.connect(key)),
    viewSources: await ask(session, 'viewSources', viewSourcesQuery(selection)),
    hasLargeObjects: largeObjects!.exist,
  }
}

const KINDS = {
  r: 'table',
  p: 'table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
} as const

const names = ({ schema, name }: Relation): Relation => ({ schema, name })

/** The partition trees of a database. A table that is not a partition is the root of its own tree. */
class Trees {
  readonly #relations: ReadonlyMap<string, Rows['relations']>

  constructor(relations: readonly Rows['relations'][]) {
    this.#relations = new Map(relations.map((relation) => [relation.oid, relation]))
  }

  #rootOf(oid: string): Rows['relations'] | undefined {
    return this.#relations.get(this.#relations.get(oid)?.root ?? '')
  }

  describe(relation: Rows['relations']): Known {
    const root = relation.root === relation.oid ? undefined : this.#rootOf(relation.oid)
    return { ...names(relation), kind: KINDS[relation.kind], root: root ? names(root) : null }
  }

  group(parts: readonly Part[], partitionKeys: readonly Rows['partitionKeys'][]): Table[] {
    const keys = Map.groupBy(partitionKeys, ({ table }) => this.#rootOf(table)?.oid)
    return [...Map.groupBy(parts, ({ oid }) => this.#rootOf(oid)!)].map(([root, members]) => ({
      ...names(root),
      extension: root.extension,
      partitionKey: [...new Set(keys.get(root.oid)?.flatMap(({ columns }) => columns))],
      parts: members,
    }))
  }

  /** Returns the key between the roots, or nothing if one is a table of the system, which has no row of a user. */
  connect(key: Rows['foreignKeys']): ForeignKey[] {
    const [table, references] = [this.#rootOf(key.table), this.#rootOf(key.references)]
    return table && references ? [{ ...key, table: names(table), references: names(references) }] : []
  }
}

async function readParts(
  session: Session,
  relations: readonly Rows['relations'][],
  major: number,
): Promise<Part[]> {
  const dumped = relations.filter((relation) => relation.dumped)
  const oids = dumped.map(({ oid }) => oid)
  const columns = await readColumns(session, oids, major)
  const uniqueKeys = byTable(await ask(session, 'uniqueKeys', uniqueKeysQuery(oids, major)))
  const checks = byTable(await ask(session, 'checks', checksQuery(oids)))
  return dumped.map(({ oid, schema, name, rows, condition, hidden }) => ({
    ...{ oid, schema, name, rows, condition, hidden },
    columns: columns.get(oid) ?? [],
    uniqueKeys: (uniqueKeys.get(oid) ?? []).map(toUniqueKey),
    checks: checks.get(oid) ?? [],
  }))
}

/** Returns the columns of each table in their order. */
async function readColumns(
  session: Session,
  oids: readonly string[],
  major: number,
): Promise<Map<string, Column[]>> {
  const types = await ask(session, 'types', typesQuery(oids))
  const typeOf = new Map(types.map((type) => [`${type.declared} ${type.modifier}`, type]))
  const tables = await ask(session, 'columns', columnsQuery(oids, major))
  return new Map(
    tables.map(({ table, columns }) => [
      table,
      columns.map(({ type, modifier, ...column }) => {
        const { type: written, base, kind, isArray, notNull } = typeOf.get(`${type} ${modifier}`)!
        const ofDomain = { type: { type: written, base, kind, isArray }, notNull: column.notNull || notNull }
        return { ...column, ...ofDomain }
      }),
    ]),
  )
}

function byTable<Row>(rows: readonly Of<Row>[]): Map<string, Row[]> {
  const grouped = new Map<string, Row[]>()
  for (const { table, ...row } of rows) grouped.set(table, [...(grouped.get(table) ?? []), row as Row])
  return grouped
}

function toUniqueKey({ primary, exclusion, ...key }: Omit<Rows['uniqueKeys'], 'table'>): UniqueKey {
  const kind = primary ? 'primary key' : exclusion ? 'exclusion constraint' : 'unique index'
  return { ...key, kind }
}
