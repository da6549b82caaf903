import * as core from '@actions/core'
import type { Copied } from '../commands/copy.ts'
import type { ListedDump } from '../commands/list.ts'
import type { Pruned } from '../commands/prune.ts'
import type { Restored } from '../commands/restore.ts'
import type { Evidence } from '../commands/verify.ts'
import type { Context } from '../context.ts'
import type { DatabaseRow } from '../database/catalog.ts'
import { hideSecrets } from '../process/secrets.ts'
import type { Manifest, TableRows } from '../storage/manifest.ts'
import { formatBytes, formatCount, formatDuration } from './format.ts'
import { describeRows } from './progress.ts'

/** Appends Markdown to the job summary, when the step wants one and the runner has one. */
export async function writeSummary(
  { inputs, environment }: Pick<Context, 'inputs' | 'environment'>,
  markdown: string,
): Promise<void> {
  if (!inputs.summary || !environment.GITHUB_STEP_SUMMARY) return
  await core.summary.addRaw(`${hideSecrets(markdown)}\n\n`).write()
}

/** A text in a table cell: names of databases and keys are other people's, and must not become Markdown or HTML. */
function cell(text: string): string {
  const plain = text
    .replace(/[\r\n]+/g, ' ')
    .replaceAll('|', '\\|')
    .replaceAll('`', "'")
  return plain === '' ? '' : `\`${plain}\``
}

function table(rows: readonly (readonly [string, string])[]): string {
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
}

export function dumpSummary(manifest: Manifest, where: { uri: string; source: string }): string {
  const rows: [string, string][] = [
    ['From', `${cell(where.source)}, PostgreSQL ${manifest.serverVersion}`],
    ['To', cell(where.uri)],
    ['Key', cell(manifest.key)],
    ['Data', `${formatBytes(manifest.rawBytes)}, ${describeRows(manifest)}`],
    [
      'Stored',
      `${formatBytes(manifest.size)} (${manifest.compression}) in ${formatDuration(manifest.durationMs)}`,
    ],
    ['SHA-256', cell(manifest.sha256)],
  ]
  return `### ✅ Dumped ${cell(manifest.database)}\n\n${table(rows)}\n\n${largestTables(manifest.tables)}`
}

/** So many tables show what a database is made of. */
const LARGEST = 10
const BAR = 20

/** The largest tables, each with its rows and a bar of its share. */
function largestTables(tables: readonly TableRows[]): string {
  const largest = [...tables].sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST)
  const most = largest[0]?.bytes ?? 0
  if (most === 0) return ''
  const rows = largest.map(({ schema, name, rows, bytes }) => {
    const bar = '█'.repeat(Math.max(1, Math.round((bytes / most) * BAR)))
    return `| ${cell(`${schema}.${name}`)} | ${rows === null ? '?' : formatCount(rows)} | ${formatBytes(bytes)} | ${bar} |`
  })
  return ['| Largest tables | Rows | Data | |', '|---|---:|---:|---|', ...rows].join('\n')
}

export function verifySummary(
  manifest: Manifest,
  evidence: Evidence,
  where: { uri: string; durationMs: number },
): string {
  const rows: [string, string][] = [
    ['Dump', cell(where.uri)],
    [
      'Restored into',
      `a throwaway database, PostgreSQL ${evidence.serverVersion}, in ${formatDuration(where.durationMs)}`,
    ],
    ['Stored bytes', `${formatBytes(manifest.size)}, SHA-256 ${cell(manifest.sha256)} as in the manifest`],
    [
      'Rows',
      `${manifest.rows === null ? 'not counted in the dump' : formatCount(manifest.rows)} in ${evidence.tables} tables, each as in the manifest`,
    ],
    ['Schema', `all ${evidence.objects} objects of the dump`],
    [
      'Assertions',
      evidence.assertions === 0 ? 'none given (`verify-sql`)' : `all ${evidence.assertions} hold`,
    ],
  ]
  return `### ✅ Verified ${cell(manifest.database)}\n\n${table(rows)}\n\n${largestTables(manifest.tables)}`
}

export function restoreSummary(restored: Restored): string {
  const { dump, uri, database, previous, durationMs, serverVersion, received } = restored
  const rows: [string, string][] = [
    ['From', cell(uri)],
    ['To', `${cell(database)}, PostgreSQL ${serverVersion}`],
    ['Read', `${formatBytes(dump.size)} in ${formatDuration(durationMs)}`],
    ['Rows', describeRows(received.counted)],
    [
      'SHA-256',
      `${cell(received.sha256)} ${dump.manifest ? '(as in the manifest)' : '(there was no manifest to compare with)'}`,
    ],
    ...(previous ? ([['Old database', cell(previous)]] as [string, string][]) : []),
  ]
  return `### ✅ Restored ${cell(database)}\n\n${table(rows)}`
}

export function copySummary(copied: Copied): string {
  const { source, database, previous, method, counted, serverVersion, durationMs } = copied
  const rows: [string, string][] = [
    ['From', cell(source)],
    ['To', `${cell(database)}, PostgreSQL ${serverVersion}`],
    [
      'How',
      method === 'template' ? 'a copy of its files on the server' : 'a stream of `pg_dump` into `pg_restore`',
    ],
    ...(counted ? ([['Rows', describeRows(counted)]] as [string, string][]) : []),
    ['Duration', formatDuration(durationMs)],
    ...(previous ? ([['Old database', cell(previous)]] as [string, string][]) : []),
  ]
  return `### ✅ Copied ${cell(database)}\n\n${table(rows)}`
}

export function pointSummary(restored: {
  point: string
  database: string
  previous: string | null
  serverVersion: string
  durationMs: number
}): string {
  const { point, database, previous, serverVersion, durationMs } = restored
  const rows: [string, string][] = [
    ['From', `the database ${cell(point)} of the same server, which stays`],
    ['To', `${cell(database)}, PostgreSQL ${serverVersion}`],
    ['Duration', formatDuration(durationMs)],
    ...(previous ? ([['Old database', cell(previous)]] as [string, string][]) : []),
  ]
  return `### ✅ Restored ${cell(database)}\n\n${table(rows)}`
}

export function dropSummary(
  names: readonly string[],
  { label, dryRun }: { label: string; dryRun: boolean },
): string {
  if (names.length === 0) return `### ✅ Nothing to drop\n\nThere is no database ${cell(label)}.`
  return `### ✅ ${dryRun ? 'Would drop' : 'Dropped'} ${names.map(cell).join(', ')}`
}

export function localSummary(databases: readonly DatabaseRow[], label: string): string {
  const rows = databases.map(({ name, owner, size, marker }) => {
    return `| ${cell(name)} | ${cell(owner)} | ${size === null ? '?' : formatBytes(size)} | ${marker ? `${marker.kind} of ${cell(marker.of)}` : ''} |`
  })
  return [
    `### Databases of ${cell(label)}`,
    '',
    '| Database | Owner | Size | Made by this action |',
    '|---|---|---:|---|',
    ...rows,
  ].join('\n')
}

/** So many rows fit into a summary that is still read. */
const LISTED = 50

export function listSummary(dumps: readonly ListedDump[], where: string): string {
  const rows = dumps.slice(0, LISTED).map((dump) => {
    return `| ${cell(dump.key)} | ${formatBytes(dump.size)} | ${dump.committed ? 'yes' : 'no'} |`
  })
  const more = dumps.length > LISTED ? `\n\n… and ${dumps.length - LISTED} older ones.` : ''
  const listing =
    dumps.length === 0 ? 'None.' : ['| Key | Size | Committed |', '|---|---:|---|', ...rows].join('\n')
  return `### ${dumps.length} dumps in ${cell(where)}\n\n${listing}${more}`
}

/** What a prune leaves alone, in words. */
export function describeUntouched({ uncommitted, orphans, foreign }: Pruned): string {
  const counts = [uncommitted, orphans, foreign].map(formatCount)
  return `${counts[0]} dumps without a manifest, ${counts[1]} manifests without a dump and ${counts[2]} foreign objects`
}

/** GitHub takes a megabyte of summary; so many rows are a quarter of it. */
const JUDGED = 1000

export function pruneSummary(pruned: Pruned, where: string): string {
  const { fates, dryRun } = pruned
  const deleted = fates.filter(({ keep }) => !keep).length
  const rows = fates.slice(0, JUDGED).map(({ key, size, keep, reasons }) => {
    const fate = keep ? 'kept' : dryRun ? 'would be deleted' : '**deleted**'
    return `| ${cell(key.key)} | ${formatBytes(size)} | ${fate} | ${keep ? reasons.map(cell).join(', ') : 'no rule keeps it'} |`
  })
  const listing =
    rows.length === 0
      ? 'No committed dumps.'
      : ['| Key | Size | | Why |', '|---|---:|---|---|', ...rows].join('\n')
  const more =
    fates.length > JUDGED ? `\n\n… and ${fates.length - JUDGED} older ones, which are in the log.` : ''
  const title = `### ${dryRun ? 'Dry run: would delete' : '✅ Deleted'} ${deleted} of ${fates.length} dumps in ${cell(where)}`
  return `${title}\n\n${listing}${more}\n\nIt leaves alone ${describeUntouched(pruned)}.`
}

export function failureSummary(command: string, reason: string): string {
  return `### ❌ ${command} failed\n\n${cell(reason)}`
}
