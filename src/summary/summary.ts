import { stat } from 'node:fs/promises'
import * as core from '@actions/core'
import type { Inputs } from '../inputs/inputs.ts'
import type { Location } from '../inputs/location.ts'
import type { Environment } from '../process/environment.ts'
import { log, takeWarnings } from '../report/log.ts'
import { hideSecrets } from '../report/secrets.ts'
import { fitSummary, MAX_SUMMARY_BYTES } from './fit-summary.ts'
import { type Content, code, type Fact, facts, join, link, type Markdown, md } from './markdown.ts'

/** Appends Markdown and the warnings of the step so far to the job summary, when the runner has one and the step wants one. */
export async function writeSummary(
  { inputs, environment }: { inputs: Pick<Inputs, 'summary'>; environment: Environment },
  markdown: Markdown,
): Promise<void> {
  if (!inputs.summary || !environment.GITHUB_STEP_SUMMARY) return
  const warnings = takeWarnings().map((text) => md`⚠️ ${text}`)
  const text = `${hideSecrets(String(join('\n\n', [markdown, ...warnings])))}\n\n`
  const fitting = fitSummary(text, MAX_SUMMARY_BYTES - (await sizeOf(environment.GITHUB_STEP_SUMMARY)))
  // The work is done, or has failed for a reason of its own; a summary that cannot be written changes neither.
  await core.summary
    .addRaw(fitting)
    .write()
    .catch((error: Error) => log.warning(`The job summary could not be written: ${error.message}`))
}

/** The bytes that hooks and earlier parts of the step have written. */
async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  )
}

/**
 * Why a step failed, and what it was about.
 *
 * @param inputs null when they could not be read, which is then the reason
 */
export function failureSummary(reason: string, inputs: Inputs | null, environment: Environment): Markdown {
  const about = inputs ? facts([['Command', code(inputs.command)], ...journey(inputs)]) : ''
  const title = inputs ? `${inputs.command} failed` : 'The inputs cannot be used'
  return join('\n\n', [md`### ❌ ${title}`, md`> ${reason}`, about, help(environment)])
}

/** Databases and storage that the command was about, as far as the inputs tell. */
function journey({ command, connection, sourceConnection, location, dumpKey }: Inputs): Fact[] {
  const database: Content = connection ? code(connection.label) : 'a database that was not named'
  const storage = code(describeLocation(location))
  const dump = dumpKey.startsWith(':') || dumpKey === '' ? code(dumpKey) : md`${code(dumpKey)} in ${storage}`
  switch (command) {
    case 'dump':
      return [
        ['From', database],
        ['To', storage],
      ]
    case 'restore':
      return [
        ['From', dump],
        ['To', database],
      ]
    case 'verify':
      return [
        ['Dump', dump],
        ['Tried on', database],
      ]
    case 'copy':
      return [
        ['From', code(sourceConnection?.label ?? '')],
        ['To', database],
      ]
    case 'diff':
      return [
        ['Database', database],
        ['Compared with', sourceConnection ? code(sourceConnection.label) : dump],
      ]
    case 'drop':
      return [['Database', database]]
    default:
      return [['Where', storage]]
  }
}

/** Returns the storage as an address. */
export function describeLocation(location: Location): string {
  return location.kind === 'folder' ? location.path : `s3://${location.bucket}/${location.prefix}`
}

/** The page of this release that goes through the messages, where the runner says which repository it is from. */
function help({ GITHUB_ACTION_REPOSITORY, GITHUB_ACTION_REF }: Environment): Markdown {
  const more = 'More is in the log; run the job again with debug logging for all of it.'
  if (!GITHUB_ACTION_REPOSITORY || !GITHUB_ACTION_REF) return md`${more}`
  const page = `https://github.com/${GITHUB_ACTION_REPOSITORY}/blob/${GITHUB_ACTION_REF}/docs/troubleshooting.md`
  return md`${link('What to do about it', page)}. ${more}`
}
