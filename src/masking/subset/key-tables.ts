import { identifier } from '../../database/connection/literal.ts'
import type { Link, SubsetPart, SubsetTable } from './graph.ts'
import type { ComparedColumns } from './subset-catalog.ts'

/** One value that the temporary table of kept rows has for each row, because a link compares it. */
type KeyValue = {
  alias: string
  column: string
  suffix: string
  /** The link for whose rows it is not NULL, or null if it is the value of every row. */
  only: Link | null
}

/**
 * The SQL of a computation. The rows that stay are in one temporary table for each filtered table: the part and place
 * (`ctid`) of each row, and the values that links compare. A place names a row as long as the snapshot is in use, also where a
 * table has no primary key.
 */
export class KeyTables {
  readonly #values = new Map<SubsetTable, Map<string, KeyValue>>()
  readonly #byLink = new Map<Link, Comparison[]>()

  constructor(links: readonly Link[]) {
    for (const link of links) {
      const columns = link.columns.map((pair) => this.#register(link, pair))
      this.#byLink.set(link, columns)
    }
  }

  #register(link: Link, { column, columnSuffix, key, keySuffix, operator }: ComparedColumns): Comparison {
    const partial = link.when.length > 0 || link.fromParts.size < link.from.parts.length
    return {
      value: this.#valueOf(link.from, column, columnSuffix, partial ? link : null),
      key: this.#valueOf(link.to, key, keySuffix, null),
      operator,
    }
  }

  #valueOf(table: SubsetTable, column: string, suffix: string, only: Link | null): string {
    const values = this.#values.get(table) ?? new Map<string, KeyValue>()
    this.#values.set(table, values)
    const key = JSON.stringify([column, suffix, only?.number])
    const known = values.get(key) ?? { alias: `v${values.size + 1}`, column, suffix, only }
    values.set(key, known)
    return known.alias
  }

  /** Returns the name of the temporary table. */
  kept({ number }: SubsetTable): string {
    return `pg_temp.pgclone_kept_${number}`
  }

  /** Returns a statement that creates the temporary table. Nothing is read. */
  create(table: SubsetTable): string {
    const rows = this.#union(table, table.parts, '')
    return `CREATE TEMPORARY TABLE pgclone_kept_${table.number} AS SELECT 0::bigint AS id, s.* FROM (${rows}) AS s WITH NO DATA`
  }

  /** Returns a query that counts the rows of each part that the dump may have. */
  count(table: SubsetTable): string {
    const counts = table.parts
      .filter(({ dumped }) => dumped)
      .map(
        (part) =>
          `SELECT ${part.number} AS part, count(*) AS rows FROM (${this.#select(table, part, '')}) AS s`,
      )
    return counts.join(' UNION ALL ')
  }

  /** Returns a query for the rows of the source that may stay, with the values of its temporary table. */
  source(table: SubsetTable): string {
    const dumped = table.parts.filter((part) => part.dumped)
    return dumped.length > 0
      ? this.#union(table, dumped, conditionOf(table))
      : this.#union(table, table.parts, 'false')
  }

  #union(table: SubsetTable, parts: readonly SubsetPart[], condition: string): string {
    return parts.map((part) => this.#select(table, part, condition)).join(' UNION ALL ')
  }

  #select(table: SubsetTable, part: SubsetPart, condition: string): string {
    const name = identifier(table.name)
    const values = [...(this.#values.get(table)?.values() ?? [])].map(
      (value) => `${expressionOf(value, name, part)} AS ${value.alias}`,
    )
    const list = [`${part.number} AS part`, `${name}.ctid AS place`, ...values].join(', ')
    const conditions = [condition, part.condition?.replace(/^\s*where\b/i, '') ?? ''].filter(Boolean)
    const where = conditions.map((each) => `(${each}\n)`).join(' AND ')
    return `SELECT ${list} FROM ${tableSource(table, part)}${where && ` WHERE ${where}`}`
  }

  /** Returns a condition that compares a row with one that it refers to, by the names of two relations. */
  matches(link: Link, row: string, target: string): string {
    const equal = this.#byLink
      .get(link)!
      .map(({ value, key, operator }) => `${target}.${key} ${operator} ${row}.${value}`)
    return [...equal, this.#inParts(link, target)].filter(Boolean).join(' AND ')
  }

  #inParts({ to, toParts }: Link, target: string): string {
    if (toParts.size === to.parts.length) return ''
    return `${target}.part IN (${[...toParts].map(({ number }) => number).join(', ')})`
  }

  /**
   * Returns a join and a condition for rows that break a link: they refer to a row that is left out. Every row of a trusted
   * link refers to a row that exists, so it is enough to look for it among those that stay.
   */
  broken(link: Link, row: string): Broken {
    if (!link.trusted) return { join: '', condition: `EXISTS (${this.#leftOut(link, row)})` }
    const name = `target_${link.number}`
    const columns = this.#byLink.get(link)!
    const keys = [...new Set(columns.map(({ key }) => key))].join(', ')
    const where = this.#inParts(link, 'k')
    const targets = `SELECT DISTINCT ${keys}, true AS found FROM ${this.kept(link.to)} AS k${where && ` WHERE ${where}`}`
    const equal = columns.map(({ value, key, operator }) => `${name}.${key} ${operator} ${row}.${value}`)
    const refers = columns.map(({ value }) => `${row}.${value} IS NOT NULL`)
    return {
      join: `LEFT JOIN (${targets}) AS ${name} ON ${equal.join(' AND ')}`,
      condition: `${refers.join(' AND ')} AND ${name}.found IS NULL`,
    }
  }

  /** Returns a query for the rows that are left out and to which a row refers. */
  #leftOut(link: Link, row: string): string {
    const all = this.#union(link.to, [...link.toParts], '')
    return `SELECT FROM (${all}) AS t WHERE ${this.matches(link, row, 't')} AND NOT EXISTS (
      SELECT FROM ${this.kept(link.to)} AS k WHERE k.part = t.part AND k.place = t.place)`
  }

  /** Returns a condition for rows that refer to a row that does not exist. */
  dangles(link: Link, row: string): string {
    const all = this.#union(link.to, [...link.toParts], '')
    const refers = this.#byLink.get(link)!.map(({ value }) => `${row}.${value} IS NOT NULL`)
    return `${refers.join(' AND ')} AND NOT EXISTS (SELECT FROM (${all}) AS t WHERE ${this.matches(link, row, 't')})`
  }
}

type Comparison = { value: string; key: string; operator: string }

/** A join of the targets and a condition. The join finds at most one target for each row. */
export type Broken = { join: string; condition: string }

/** Returns the own condition of a table. */
function conditionOf({ rows }: SubsetTable): string {
  return typeof rows === 'object' ? rows.condition : ''
}

/** The conditions of the mask file may name the table, so a partition gets the name of its root. */
export function tableSource(table: SubsetTable, part: SubsetPart): string {
  const alias = part.name === table.name ? '' : ` AS ${identifier(table.name)}`
  return `ONLY ${identifier(part.schema)}.${identifier(part.name)}${alias}`
}

/** Returns the value of a column, or NULL where the row does not refer to anything by the link. */
function expressionOf({ column, suffix, only }: KeyValue, name: string, part: SubsetPart): string {
  const value = `${name}.${identifier(column)}${suffix}`
  if (!only) return value
  const conditions = only.fromParts.has(part)
    ? only.when.map(({ condition }) => `(${condition}\n)`)
    : ['false']
  return conditions.length > 0 ? `CASE WHEN ${conditions.join(' AND ')} THEN ${value} END` : value
}
