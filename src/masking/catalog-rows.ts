import type { Session } from '../database/connection/session.ts'
import type { Relation } from '../relation.ts'
import { type Check, hasShape, isCount, isListOf, isOneOf, isText, orNull } from '../shape.ts'
import type { ColumnType } from './column-type.ts'
import type { CheckConstraint, Column, ForeignKey, Part, UniqueKey, ViewSource } from './tables.ts'

/** Names and types. With quotes, schema and arguments they are longer than the 63 bytes of a name. */
const name = isText(10_000)
const oid: Check = (value) => typeof value === 'string' && /^\d{1,10}$/.test(value)
const names = isListOf(name)
const flag = isOneOf(true, false)
const modifier: Check = Number.isSafeInteger

/** A fact about one table, which is given by its OID. */
export type Of<Row> = Row & { table: string }

/** The rows of each query, with the check that every row must pass. */
export type Rows = {
  relations: Relation & {
    oid: string
    kind: 'r' | 'p' | 'v' | 'm' | 'f'
    root: string
    dumped: boolean
    extension: string | null
  } & Pick<Part, 'condition' | 'rows' | 'hidden'>
  columns: Of<{ columns: (Omit<Column, 'type'> & { type: string; modifier: number })[] }>
  types: ColumnType & { declared: string; modifier: number; notNull: boolean }
  uniqueKeys: Of<Omit<UniqueKey, 'kind'> & { primary: boolean; exclusion: boolean }>
  checks: Of<CheckConstraint>
  partitionKeys: Of<{ columns: string[] }>
  foreignKeys: Of<Omit<ForeignKey, 'table' | 'references'> & { references: string }>
  viewSources: ViewSource
  largeObjects: { exist: boolean }
}

const CHECKS: { [Question in keyof Rows]: { [Field in keyof Rows[Question]]: Check } } = {
  relations: {
    oid,
    schema: name,
    name,
    kind: isOneOf('r', 'p', 'v', 'm', 'f'),
    root: oid,
    dumped: flag,
    extension: orNull(name),
    condition: orNull(isText(1_000_000)),
    rows: orNull(isCount),
    hidden: flag,
  },
  columns: {
    table: oid,
    columns: isListOf(
      hasShape({
        name,
        type: oid,
        modifier,
        declared: name,
        notNull: flag,
        computedFrom: orNull(names),
        deterministic: flag,
      }),
    ),
  },
  types: {
    declared: oid,
    modifier,
    type: name,
    base: name,
    kind: isOneOf('b', 'c', 'd', 'e', 'm', 'p', 'r'),
    isArray: flag,
    notNull: flag,
  },
  uniqueKeys: {
    table: oid,
    name,
    primary: flag,
    exclusion: flag,
    columns: names,
    computedFrom: names,
    nullsDistinct: flag,
  },
  checks: { table: oid, name, columns: names },
  partitionKeys: { table: oid, columns: names },
  foreignKeys: {
    name,
    table: oid,
    columns: names,
    references: oid,
    keys: names,
    full: flag,
    validated: flag,
  },
  viewSources: {
    view: hasShape({ schema: name, name }),
    kind: isOneOf('foreign table', 'dblink', 'function'),
    name,
  },
  largeObjects: { exist: flag },
}

/**
 * Runs a query of the catalog.
 *
 * @throws an Error when a row has not the fields that the question asks for
 */
export async function ask<Question extends keyof Rows>(
  session: Session,
  question: Question,
  query: string,
): Promise<Rows[Question][]> {
  const rows = await session.query<Rows[Question]>(query)
  if (rows.every(hasShape(CHECKS[question]))) return rows
  throw new Error(
    `The server answered the question about ${question} in a form that is not known, so nothing can be masked and nothing was dumped`,
  )
}
