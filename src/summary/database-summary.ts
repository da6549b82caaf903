/** Summaries of what is done with databases, without a stored dump. */
import type { DatabaseRow } from '../database/databases.ts'
import type { Fate } from '../database/fate.ts'
import type { Marker } from '../database/marker.ts'
import { formatBytes, formatCount, formatDuration, formatQuantity } from '../report/format.ts'
import { describeRows } from '../report/progress.ts'
import type { LiveFacts } from './dump-summary.ts'
import { attemptsFact, code, type Fact, facts, join, type Markdown, md, moment, table } from './markdown.ts'

type CopyFacts = LiveFacts & {
  source: string
  method: 'stream' | 'template'
  /** What a copy by the stream counted; a file copy counts nothing. */
  counted: { tables: readonly unknown[]; rows: number | null } | null
}

const METHODS = {
  stream: md`a stream of \`pg_dump\` into \`pg_restore\``,
  template: 'a copy of its files on the server',
}

/** A copy that went live. */
export function copySummary(copied: CopyFacts): Markdown {
  const { source, target, database, previous, method, counted, serverVersion, durationMs } = copied
  const overview = facts([
    ['From', code(source)],
    ['To', md`${code(target)}, PostgreSQL ${serverVersion}`],
    ['How', METHODS[method]],
    ...(counted ? ([['Data', describeRows(counted)]] as Fact[]) : []),
    ['Duration', formatDuration(durationMs)],
    ...attemptsFact(copied.attempts),
    ...oldDatabase(previous),
  ])
  return md`### ✅ Copied ${code(database)}\n\n${overview}`
}

/** A restore point, or another database of the server, that went live. */
export function pointSummary(restored: LiveFacts & { point: string }): Markdown {
  const { point, target, database, previous, serverVersion, durationMs } = restored
  const overview = facts([
    ['From', md`the database ${code(point)} of the same server, which stays`],
    ['To', md`${code(target)}, PostgreSQL ${serverVersion}`],
    ['Duration', formatDuration(durationMs)],
    ...attemptsFact(restored.attempts),
    ...oldDatabase(previous),
  ])
  return md`### ✅ Restored ${code(database)}\n\n${overview}`
}

function oldDatabase(previous: string | null): Fact[] {
  return previous ? [['Old database', md`kept as ${code(previous)}`]] : []
}

type Where = { label: string; dryRun: boolean }

/** The database that is gone with its restore points, or with `dryRun` would be. */
export function dropSummary(fates: readonly Fate[], { label, dryRun }: Where): Markdown {
  if (fates.length === 0) return md`### ✅ Nothing to drop\n\nThere is no database ${code(label)}.`
  const names = fates.map(({ name }) => code(name))
  const dropped = join(', ', names)
  return md`### ✅ ${dryRun ? 'Would drop' : 'Dropped'} ${dropped}\n\nAt ${code(label)}.`
}

const MAX_FATES = 1000

/** What became of each database that matches the patterns of `databases`, those that are gone first. */
export function sweepSummary(fates: readonly Fate[], { label, dryRun }: Where): Markdown {
  const words = {
    failed: md`**could not be dropped**`,
    dropped: dryRun ? md`would be dropped` : md`**dropped**`,
    kept: md`kept`,
  }
  const sorted = Object.keys(words).flatMap((kind) => fates.filter(({ fate }) => fate === kind))
  const rows = sorted.slice(0, MAX_FATES).map(({ name, fate, reason }) => [code(name), words[fate], reason])
  const count = fates.filter(({ fate }) => fate === 'dropped').length
  const done = sorted[0]?.fate === 'failed' ? '⚠️' : '✅'
  const verb = dryRun ? 'Dry run: would drop' : `${done} Dropped`
  const title = md`### ${verb} ${formatCount(count)} of ${formatQuantity(fates.length, 'database')}`
  const listing =
    rows.length === 0 ? 'No database matches `databases`.' : table(['Database', 'Fate', 'Why'], rows)
  const more = fates.length > MAX_FATES ? '… and more, which are in the log.' : ''
  return join('\n\n', [title, md`On the server of ${code(label)}.`, listing, more])
}

/** The databases of a server, with what this action made. */
export function localSummary(databases: readonly DatabaseRow[], label: string): Markdown {
  const rows = databases.map(({ name, owner, size, marker }) => [
    code(name),
    code(owner),
    size === null ? '?' : formatBytes(size),
    marker ? join(', ', [md`${marker.kind} of ${code(marker.of)}`, ...expiry(marker)]) : '',
  ])
  return md`### Databases of ${code(label)}\n\n${table(['Database', 'Owner', '>Size', 'Made by this action'], rows)}`
}

function expiry({ expires }: Marker): Markdown[] {
  return expires === undefined ? [] : [md`expires ${moment(expires)}`]
}

/** What would have been done, in a sentence; all checks before the work have passed. */
export function dryRunSummary(command: string, plan: string): Markdown {
  return md`### Dry run: ${command}\n\n${plan}. Nothing was changed.`
}
