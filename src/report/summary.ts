import * as core from '@actions/core'
import type { ListedDump } from '../commands/list.ts'
import type { Restored } from '../commands/restore.ts'
import type { Context } from '../context.ts'
import { hideSecrets } from '../process/secrets.ts'
import type { Manifest } from '../storage/manifest.ts'
import { formatBytes, formatDuration } from './format.ts'

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
    ['Stored', `${formatBytes(manifest.size)} in ${formatDuration(manifest.durationMs)}`],
    ['SHA-256', cell(manifest.sha256)],
  ]
  return `### ✅ Dumped ${cell(manifest.database)}\n\n${table(rows)}`
}

export function restoreSummary(restored: Restored): string {
  const { dump, uri, database, previous, durationMs, serverVersion, received } = restored
  const rows: [string, string][] = [
    ['From', cell(uri)],
    ['To', `${cell(database)}, PostgreSQL ${serverVersion}`],
    ['Read', `${formatBytes(dump.size)} in ${formatDuration(durationMs)}`],
    [
      'SHA-256',
      `${cell(received.sha256)} ${dump.manifest ? '(as in the manifest)' : '(there was no manifest to compare with)'}`,
    ],
    ...(previous ? ([['Old database', cell(previous)]] as [string, string][]) : []),
  ]
  return `### ✅ Restored ${cell(database)}\n\n${table(rows)}`
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

export function failureSummary(command: string, reason: string): string {
  return `### ❌ ${command} failed\n\n${cell(reason)}`
}
