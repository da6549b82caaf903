/** Summaries of what is done with one dump: made, restored, verified. */

import { shortRecipient } from '../encryption/recipients.ts'
import { relationKey, relationName } from '../relation.ts'
import { formatBytes, formatCount, formatDuration, formatQuantity } from '../report/format.ts'
import { describeRows } from '../report/progress.ts'
import type { Manifest, TableRows } from '../storage/manifest.ts'
import type { Place } from '../storage/storage.ts'
import type { Verified } from './evidence.ts'
import {
  attemptsFact,
  bar,
  type Content,
  code,
  type Fact,
  facts,
  folded,
  join,
  link,
  Markdown,
  md,
  moment,
  pace,
  table,
} from './markdown.ts'
import { maskFact, masksByTable } from './mask-summary.ts'
import type { LiveDatabase } from './outcome.ts'

/** What the summary of every command says that puts a database live. */
export type LiveFacts = LiveDatabase & {
  /** The address of the target, without a password. */
  target: string
  durationMs: number
  attempts: number
}

type RestoreFacts = LiveFacts & {
  key: string
  /** Stored bytes. */
  size: number
  manifest: Manifest | null
  place: Place
  sha256: string
  counted: { tables: readonly TableRows[]; rows: number | null }
  /** Null when a template was copied. */
  transferMs: number | null
}

/** Describes a committed dump, and compares it with `previous`. */
export function dumpSummary(
  manifest: Manifest,
  {
    source,
    place,
    previous,
    transferMs,
    attempts,
  }: { source: string; place: Place; previous: Manifest | null; transferMs: number; attempts: number },
): Markdown {
  const overview = facts([
    ['From', md`${code(source)}, PostgreSQL ${manifest.serverVersion}`],
    ['To', address(place)],
    ['Key', code(manifest.key)],
    ['Data', describeRows(manifest)],
    ['Read', pace(manifest.rawBytes, transferMs)],
    ['Stored', `${formatBytes(manifest.size)} (${manifest.compression})`],
    ...encryptionFact(manifest),
    ...maskFact(manifest),
    ['Duration', formatDuration(manifest.durationMs)],
    ...(previous ? ([['Since the last dump', change(previous, manifest)]] as Fact[]) : []),
    ['SHA-256', code(manifest.sha256)],
    ...attemptsFact(attempts),
  ])
  return blocks(
    md`### ✅ Dumped ${code(manifest.database)}`,
    overview,
    largestTables(manifest.tables, previous?.tables),
  )
}

/** Describes a dump that was restored and put live. */
export function restoreSummary(restored: RestoreFacts): Markdown {
  const { key, size, manifest, place, counted, target, previous, transferMs } = restored
  const overview = facts([
    ['From', address(place)],
    ...(manifest ? [origin(manifest), ...maskFact(manifest)] : []),
    ['To', md`${code(target)}, PostgreSQL ${restored.serverVersion}`],
    ['Key', code(key)],
    ['Data', describeRows(counted)],
    ['Read', transferMs === null ? 'nothing: a template was copied' : pace(size, transferMs)],
    ['Duration', formatDuration(restored.durationMs)],
    [
      'SHA-256',
      md`${code(restored.sha256)} ${manifest ? '(as in the manifest)' : '(there was no manifest to compare with)'}`,
    ],
    ...attemptsFact(restored.attempts),
    ...(previous ? ([['Old database', code(previous)]] as Fact[]) : []),
  ])
  return blocks(
    md`### ✅ Restored ${code(restored.database)}`,
    overview,
    largestTables(counted.tables),
    manifest ? masksByTable(manifest) : NOTHING,
  )
}

type VerifyFacts = {
  place: Place
  /** Milliseconds; null when there is no limit. */
  maxRestoreTime: number | null
  durationMs: number
  attempts: number
}

/** What was compared, one row each: evidence that the dump can be restored. */
export function verifySummary(
  manifest: Manifest,
  verified: Verified,
  { place, maxRestoreTime, durationMs, attempts }: VerifyFacts,
): Markdown {
  const overview = facts([
    ['Dump', address(place)],
    origin(manifest),
    ...maskFact(manifest),
    ['Verified', `${moment(verified.at)}, in ${formatDuration(durationMs)}`],
    [
      'Restored into',
      `a temporary database, PostgreSQL ${verified.serverVersion}, with pg_restore ${verified.clientVersion}`,
    ],
    ...attemptsFact(attempts),
  ])
  return blocks(
    md`### ✅ Verified ${code(manifest.database)}`,
    overview,
    checksTable(manifest, verified, maxRestoreTime),
    everyTable(verified.restored.tables),
    masksByTable(manifest),
  )
}

function checksTable(manifest: Manifest, verified: Verified, maxRestoreTime: number | null): Markdown {
  const { restored, objects, sequences, assertions } = verified
  const leftOut = manifest.tables.length - restored.tables.length
  return table(
    ['Check', 'What was dumped', 'What came back'],
    [
      ['Stored bytes', `${formatCount(manifest.size)} (${formatBytes(manifest.size)})`, '✅ the same'],
      ['SHA-256', code(manifest.sha256), '✅ the same'],
      ['Archive', `${formatBytes(manifest.rawBytes)} of data`, '✅ complete'],
      [
        'Tables',
        formatCount(manifest.tables.length),
        `✅ ${formatCount(restored.tables.length)} counted again${leftOut > 0 ? `, ${formatCount(leftOut)} left out` : ''}`,
      ],
      [
        'Rows',
        manifest.rows === null ? 'not counted' : formatCount(manifest.rows),
        restored.rows === null ? '—' : `✅ ${formatCount(restored.rows)}, the same in each table`,
      ],
      ['Schema objects', formatCount(objects), '✅ all of them'],
      ['Sequences', formatCount(sequences), sequences === 0 ? '—' : '✅ none is behind its columns'],
      assertions === 0
        ? ['Assertions', md`none given (\`verify-sql\`)`, '—']
        : ['Assertions', formatCount(assertions), '✅ all hold'],
      ...restoreTime(verified.restoreMs, maxRestoreTime),
    ],
  )
}

function restoreTime(restoreMs: number, limit: number | null): Content[][] {
  if (limit === null) return [['Restore time', 'no limit', formatDuration(restoreMs)]]
  const sign = restoreMs <= limit ? '✅' : '❌'
  return [['Restore time', md`at most ${formatDuration(limit)}`, `${sign} ${formatDuration(restoreMs)}`]]
}

const NOTHING = new Markdown('')
const blocks = (...parts: Markdown[]) => join('\n\n', parts)

/** The address of a dump, as a link where there is something behind it that a browser shows. */
function address({ uri, onAws }: Place): Markdown {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri) ?? []
  if (!onAws || !bucket || !key) return code(uri)
  return link(code(uri), `https://console.aws.amazon.com/s3/object/${bucket}?prefix=${encodeURI(key)}`)
}

/** Who can read an encrypted dump. */
function encryptionFact({ encryption }: Manifest): Fact[] {
  if (!encryption) return []
  const { format, recipients } = encryption
  const keys = recipients.map((recipient) => code(shortRecipient(recipient)))
  return [['Encrypted', md`${format}, for ${formatQuantity(keys.length, 'recipient')}: ${join(', ', keys)}`]]
}

/** When and by which run a dump was made. */
function origin({ createdAt, run, serverVersion }: Manifest): Fact {
  const by: Content = run.url ? md` by ${link('this run', run.url)}` : ''
  return ['Dumped', md`${moment(createdAt)}${by}, PostgreSQL ${serverVersion}`]
}

/** `+1,204 rows (+0.3 %), +1.2 MB of data (+0.4 %)`. */
function change(before: Manifest, now: Manifest): string {
  const rows =
    before.rows === null || now.rows === null
      ? []
      : [`${signed(now.rows - before.rows, formatCount)} rows${percent(before.rows, now.rows)}`]
  const data = `${signed(now.rawBytes - before.rawBytes, formatBytes)} of data${percent(before.rawBytes, now.rawBytes)}`
  return `${[...rows, data].join(', ')}, ${moment(before.createdAt)}`
}

function signed(difference: number, format: (count: number) => string): string {
  const sign = difference < 0 ? '−' : difference > 0 ? '+' : '±'
  return sign + format(Math.abs(difference))
}

function percent(before: number, now: number): string {
  return before > 0 ? ` (${signed(((now - before) / before) * 100, (share) => share.toFixed(1))} %)` : ''
}

/** Enough to show what a database is made of. */
const MAX_LARGEST_TABLES = 10

/** Returns the largest tables, the largest first. */
export function largestOf(tables: readonly TableRows[]): TableRows[] {
  return [...tables].sort((a, b) => b.bytes - a.bytes).slice(0, MAX_LARGEST_TABLES)
}

/** Returns what the summary of a dump shows beside the outputs. */
export function dumpDetails(manifest: Manifest, previous: Manifest | null, transferMs: number): object {
  const { compression, rawBytes, tables } = manifest
  const before = previous && { key: previous.key, rows: previous.rows, rawBytes: previous.rawBytes }
  return { compression, rawBytes, transferMs, previous: before, tables: largestOf(tables) }
}

/** The largest tables, each with its rows, how many more they are than before, and a bar. */
function largestTables(tables: readonly TableRows[], before?: readonly TableRows[]): Markdown {
  const largest = largestOf(tables)
  const most = largest[0]?.bytes ?? 0
  if (most === 0) return NOTHING
  const known = before && new Map(before.map((table) => [relationKey(table), table.rows]))
  const rows = largest.map((table) => [
    code(relationName(table)),
    countOf(table),
    ...(known ? [growth(table, known.get(relationKey(table)))] : []),
    formatBytes(table.bytes),
    bar(table.bytes, most),
  ])
  return table(['Largest tables', '>Rows', ...(known ? ['>Change'] : []), '>Data', ''], rows)
}

function growth({ rows }: TableRows, before: number | null | undefined): string {
  if (before === undefined) return 'new'
  return rows === null || before === null ? '?' : signed(rows - before, formatCount)
}

/** A tenth of the megabyte that GitHub takes. */
const MAX_TABLES_IN_EVIDENCE = 1000

function everyTable(tables: readonly TableRows[]): Markdown {
  if (tables.length === 0) return NOTHING
  const rows = tables
    .slice(0, MAX_TABLES_IN_EVIDENCE)
    .map((table) => [code(relationName(table)), countOf(table), formatBytes(table.bytes)])
  const more = tables.length - MAX_TABLES_IN_EVIDENCE
  const rest = more > 0 ? md`… and ${formatCount(more)} more, which are in the manifest.` : NOTHING
  return folded('Rows of every table', blocks(table(['Table', '>Rows', '>Data'], rows), rest))
}

const countOf = ({ rows }: TableRows) => (rows === null ? '?' : formatCount(rows))
