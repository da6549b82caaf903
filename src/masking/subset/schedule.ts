import { components } from './components.ts'
import { type Graph, isFiltered, type Link, type SubsetTable } from './graph.ts'

/** Tables that are computed together, because they refer to each other or to themselves. */
export type Stage = {
  number: number
  tables: readonly SubsetTable[]
  /** The links between them, and those between them and tables that have been computed before. */
  inner: readonly Link[]
  outer: readonly Link[]
}

/** In which order the rows that stay are computed. */
export type Schedule = {
  /** First, the largest set of rows that refer only to rows that stay: referenced tables before those that refer to them. */
  keep: readonly Stage[]
  /** Then the smallest set of rows of `referenced` tables: tables that refer to others before those. */
  refer: readonly Stage[]
  /** The links that are compared. */
  links: readonly Link[]
  /** The tables that have a temporary table of kept rows. */
  kept: readonly SubsetTable[]
}

/** Plans in which order tables are computed, from their links. */
export function planSchedule({ tables, links }: Graph): Schedule {
  const filtered = tables.filter(isFiltered)
  const isEmpty = ({ rows }: SubsetTable) => rows === 'none'
  const restricting = links.filter(({ from, to }) => isFiltered(from) && to.restricted)
  const referring = links.filter(({ from, to }) => !isEmpty(from) && to.rows === 'referenced')
  const reported = links.filter(({ from, trusted }) => isFiltered(from) && !trusted)
  const keep = components(
    tables.filter((table) => table.restricted && !isEmpty(table)),
    (table) => restricting.flatMap(({ from, to }) => (from === table && !isEmpty(to) ? to : [])),
  )
  const refer = components(
    tables.filter(({ rows }) => rows === 'referenced'),
    (table) => referring.flatMap(({ from, to }) => (to === table && from.rows === 'referenced' ? from : [])),
  )
  const stage = (members: SubsetTable[], number: number, all: readonly Link[], end: 'from' | 'to'): Stage => {
    const isInner = ({ from, to }: Link) => members.includes(from) && members.includes(to)
    const own = all.filter((link) => members.includes(link[end]))
    return {
      number,
      tables: members,
      inner: own.filter(isInner),
      outer: own.filter((link) => !isInner(link)),
    }
  }
  return {
    keep: keep.map((members, number) => stage(members, number, restricting, 'from')),
    refer: refer.map((members, index) => stage(members, keep.length + index, referring, 'to')),
    links: [...new Set([...restricting, ...referring, ...reported])],
    kept: [...new Set([...filtered, ...restricting.map(({ to }) => to)])],
  }
}

/** Whether rows can be followed from table to table and back, so that temporary tables for the walk are needed. */
export function needsWalk({ inner, tables }: Stage, isReferStage: boolean): boolean {
  return inner.length > 0 || (isReferStage && tables.some(({ restricted }) => restricted))
}
