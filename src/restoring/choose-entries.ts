import { encodingOf, type Select, type TocEntry } from '../archive/archive.ts'
import { hostName, onDatabase } from '../database/connection/connection.ts'
import { passFailedPartDrops } from '../database/restore/drop-parts.ts'
import {
  describeLeftOut,
  type LeftOut,
  type Selection,
  selectEntries,
} from '../database/restore/entry-rules.ts'
import {
  PROVIDERS,
  type ProviderName,
  providerOfDump,
  providerOfHost,
  providerOfRoles,
} from '../database/restore/managed-services.ts'
import { forServer } from '../database/restore/older-server.ts'
import { inDefaultTablespace, tablespacesOf } from '../database/restore/tablespaces.ts'
import { readFacts, type TargetFacts } from '../database/restore/target-facts.ts'
import type { Server } from '../database/server.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'
import { refuseLosses } from './check-losses.ts'
import { noteTablespaces } from './note-tablespaces.ts'
import type { Target } from './target.ts'

/** The database that receives a dump, its server and the client that restores it. */
export type Receiver = { server: Server; client: PostgresClient; database: string }

/** The choice of the entries of a dump, made when its table of contents has arrived. */
export type EntryChoice = {
  select: Select
  /** Empty until the table of contents has arrived. */
  leftOut: () => readonly LeftOut[]
}

/**
 * Chooses the entries that the target supports and logs those that are left out. A dump that cannot be restored there is
 * refused before any entry is restored.
 */
export function chooseEntries(step: Step, receiver: Receiver): EntryChoice {
  let leftOut: readonly LeftOut[] = []
  const select: Select = async (all) => {
    const selection = await selectFor(step, receiver, all)
    leftOut = selection.leftOut
    logLeftOut(leftOut)
    const entries = forServer(selection.entries, receiver.server.major)
    return step.inputs.swap ? entries : passFailedPartDrops(entries)
  }
  return { select, leftOut: () => leftOut }
}

async function selectFor(
  step: Step,
  { server, database }: Receiver,
  entries: readonly TocEntry[],
): Promise<Pick<Selection, 'entries' | 'leftOut'>> {
  const { inputs } = step
  const connection = onDatabase(step.target, database)
  await using session = await step.session(connection)
  const facts = await readFacts(session, server, entries)
  refuseUncheckedText(entries, facts.encoding)
  const selection = applyRules(inputs, facts, entries)
  if (!inputs.swap) await refuseLosses(session, selection.entries, inputs)
  const unusable = await noteTablespaces(session, tablespacesOf(selection.entries), null)
  refuseMissing(step, selection.missing, facts)
  return { ...selection, entries: inDefaultTablespace(selection.entries, unusable) }
}

function applyRules(inputs: Inputs, facts: TargetFacts, entries: readonly TocEntry[]): Selection {
  const provider = providerOf(inputs, entries)
  return selectEntries(entries, facts, {
    provider: provider && PROVIDERS[provider],
    leaveOut: inputs.provider !== 'none',
    ownerAndAcl: inputs.ownerAndAcl,
  })
}

/** The extensions of `template0`, from which databases are made. */
const FRESH = new Set(['plpgsql'])

/**
 * Says in a dry run which entries would be left out, and refuses what the restore would refuse. The database that would
 * receive them does not exist, so the server is asked in the maintenance database.
 */
export async function foretellEntries(
  step: Step,
  { session, server, locale }: Pick<Target, 'session' | 'server' | 'locale'>,
  entries: readonly TocEntry[],
): Promise<void> {
  const facts = { ...(await readFacts(session, server, entries)), installed: FRESH }
  if (locale) refuseUncheckedText(entries, locale.encoding)
  const { leftOut, missing } = applyRules(step.inputs, facts, entries)
  logLeftOut(leftOut)
  refuseMissing(step, missing, facts)
}

/** Returns the service that the dump comes from, according to the input, the source's host name or the dump itself. */
function providerOf(inputs: Inputs, entries: readonly TocEntry[]): ProviderName | null {
  if (inputs.provider === 'none') return null
  if (inputs.provider !== 'auto') return inputs.provider
  const host = inputs.sourceConnection && hostName(inputs.sourceConnection)
  const found = (host && providerOfHost(host)) || providerOfDump(entries)
  if (found) log.info(`The dump comes from ${PROVIDERS[found].title}`)
  return found
}

/**
 * Refuses text whose encoding is unknown. COPY checks text in the encoding that the archive names (CopyConvertBuf in
 * copyfromparse.c), and in SQL_ASCII every byte is valid: the target would store bytes that it cannot read again.
 */
function refuseUncheckedText(entries: readonly TocEntry[], target: string): void {
  if (encodingOf(entries) !== 'SQL_ASCII' || target === 'SQL_ASCII') return
  if (!entries.some(({ desc }) => desc === 'TABLE DATA')) return
  throw new Error(
    `The dump is in SQL_ASCII, which names no encoding of its text, so a database in ${target} would store it unchecked. Nothing was restored. Dump it with pg-dump-args: --encoding=UTF8 if the text is UTF-8 (or the name of its encoding), so that it is checked, or restore it into a database whose encoding is SQL_ASCII`,
  )
}

/** PostgreSQL's errors for a missing extension: since 14, and before. */
const refusals = (name: string) => [
  `could not execute query: ERROR:  extension "${name}" is not available`,
  `could not execute query: ERROR:  could not open extension control file "/usr/share/postgresql/extension/${name}.control": No such file or directory`,
]

/** Refuses a dump whose extensions are missing. One that `tolerate-errors` covers is left to pg_restore. */
function refuseMissing({ inputs, target }: Step, missing: Selection['missing'], facts: TargetFacts): void {
  const isTolerated = (name: string) =>
    refusals(name).some((text) => inputs.tolerateErrors.some((pattern) => pattern.test(text)))
  const lacking = missing.filter(({ name }) => !isTolerated(name))
  if (lacking.length === 0) return
  const names = lacking.map(({ name, reason, neededBy }) => {
    const details = [reason, neededBy && `${neededBy} needs it`].filter(Boolean)
    return details.length > 0 ? `${name} (${details.join('; ')})` : name
  })
  const provider = providerOfHost(hostName(target)) ?? providerOfRoles(facts.roles)
  const where = provider ? ` (on ${PROVIDERS[provider].title}: ${PROVIDERS[provider].allow})` : ''
  throw new Error(
    `The dump has extensions that "${facts.server.role}" cannot create on PostgreSQL ${facts.server.version}: ${names.join(', ')}. Nothing was restored. Install or allow them there${where}, or leave them out of the dump`,
  )
}

function logLeftOut(leftOut: readonly LeftOut[]): void {
  for (const line of describeLeftOut(leftOut.filter(({ lossless }) => lossless)))
    log.info(`Not needed: ${line}`)
  for (const line of describeLeftOut(leftOut.filter(({ lossless }) => !lossless)))
    log.warning(`Left out: ${line}`)
}
