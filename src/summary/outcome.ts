import type { Fate } from '../database/fate.ts'
import type { Outputs } from '../report/outputs.ts'
import type { Pruned } from '../storage/prune-dumps.ts'
import type { Markdown } from './markdown.ts'

/**
 * What a command reports: its outputs, the sections of the job summary, and what of the summary no output has, for the
 * output `report`. With a `failure`, the step sets and writes them, and fails for that reason.
 */
export type Outcome = {
  outputs: Outputs
  summary: readonly Markdown[]
  details?: object
  failure?: string | null
}

/** A database that was put live; `previous` is the name of the old database, if that was kept. */
export type LiveDatabase = { database: string; previous: string | null; serverVersion: string }

/** Returns `table-count` and `row-count`. Rows that could not be counted give no output rather than a wrong one. */
export function countOutputs({ tables, rows }: { tables: readonly unknown[]; rows: number | null }): Outputs {
  return { 'table-count': tables.length, ...(rows === null ? {} : { 'row-count': rows }) }
}

/** Returns the outputs of a command that puts a new database live. */
export function liveOutputs({ database, previous, serverVersion }: LiveDatabase): Outputs {
  return {
    database,
    ...(previous ? { 'previous-database': previous } : {}),
    'server-version': serverVersion,
  }
}

/** Returns the databases as JSON arrays, each with its reason: what is dropped, or with `dry-run` would be, and what stays. */
export function dropOutputs(fates: readonly Fate[]): Outputs {
  const reasons = ({ name, fate, reason }: Fate) => ({
    name,
    reason: fate === 'failed' ? `could not be dropped: ${reason}` : reason,
  })
  const of = (dropped: boolean) =>
    JSON.stringify(fates.filter(({ fate }) => (fate === 'dropped') === dropped).map(reasons))
  return { dropped: of(true), kept: of(false) }
}

/** Returns the keys as JSON arrays: what is deleted, or with `dry-run` would be, and what stays. */
export function pruneOutputs({ fates }: Pick<Pruned, 'fates'>): Outputs {
  const keys = (keep: boolean) => fates.filter((fate) => fate.keep === keep).map(({ key }) => key.key)
  return { deleted: JSON.stringify(keys(false)), kept: JSON.stringify(keys(true)) }
}
