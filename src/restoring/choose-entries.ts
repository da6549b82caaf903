import type { Select, TocEntry } from '../archive/archive.ts'
import { hostName, onDatabase } from '../database/connection/connection.ts'
import { Session } from '../database/connection/session.ts'
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
import { readFacts, type TargetFacts } from '../database/restore/target-facts.ts'
import type { Server } from '../database/server.ts'
import { log } from '../report/log.ts'
import type { Context } from '../step/context.ts'
import { connectionOf } from '../step/prepare.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'

/** The database that receives a dump, and by whom. */
export type Receiver = { server: Server; client: PostgresClient; database: string }

/** Which entries of a dump are restored, decided when its table of contents is there. */
export type Selecting = {
  select: Select
  /** Known when the table of contents has passed; empty before. */
  leftOut: () => readonly LeftOut[]
}

/**
 * Chooses the entries that a target can take, says which ones it leaves out, and refuses a dump that cannot be restored
 * there, before anything is.
 */
export function startSelecting(context: Context, receiver: Receiver): Selecting {
  let leftOut: readonly LeftOut[] = []
  const select: Select = async (entries) => {
    const selection = await selectFor(context, receiver, entries)
    leftOut = selection.leftOut
    tell(leftOut)
    return forServer(selection.entries, receiver.server.major)
  }
  return { select, leftOut: () => leftOut }
}

async function selectFor(
  context: Context,
  { server, client, database }: Receiver,
  entries: readonly TocEntry[],
): Promise<Pick<Selection, 'entries' | 'leftOut'>> {
  const { inputs } = context
  const connection = onDatabase(connectionOf(context), database)
  await using session = await Session.open(connection, { ...context, psql: client.psql })
  const facts = await readFacts(session, server, entries)
  const provider = providerOf(context, entries)
  const selection = selectEntries(entries, facts, {
    provider: provider && PROVIDERS[provider],
    leaveOut: inputs.provider !== 'none',
    ownerAndAcl: inputs.ownerAndAcl,
  })
  refuseMissing(context, selection.missing, facts)
  return selection
}

/** Where the dump comes from: as the input says, else as the source's host name or the dump itself does. */
function providerOf({ inputs }: Context, entries: readonly TocEntry[]): ProviderName | null {
  if (inputs.provider === 'none') return null
  if (inputs.provider !== 'auto') return inputs.provider
  const host = inputs.sourceConnection && hostName(inputs.sourceConnection)
  const found = (host && providerOfHost(host)) || providerOfDump(entries)
  if (found) log.info(`The dump comes from ${PROVIDERS[found].title}`)
  return found
}

/** What PostgreSQL says to CREATE EXTENSION: since 14, and before. */
const refusals = (name: string) => [
  `could not execute query: ERROR:  extension "${name}" is not available`,
  `could not execute query: ERROR:  could not open extension control file "/usr/share/postgresql/extension/${name}.control": No such file or directory`,
]

/** An extension whose absence may pass by `tolerate-errors` is left to pg_restore. */
function refuseMissing(context: Context, missing: Selection['missing'], facts: TargetFacts): void {
  const { tolerateErrors } = context.inputs
  const passes = (name: string) =>
    refusals(name).some((text) => tolerateErrors.some((pattern) => pattern.test(text)))
  const wanting = missing.filter(({ name }) => !passes(name))
  if (wanting.length === 0) return
  const names = wanting.map(({ name, reason, neededBy }) => {
    const details = [reason, neededBy && `${neededBy} needs it`].filter(Boolean)
    return details.length > 0 ? `${name} (${details.join('; ')})` : name
  })
  const target = providerOfHost(hostName(connectionOf(context))) ?? providerOfRoles(facts.roles)
  const where = target ? ` (on ${PROVIDERS[target].title}: ${PROVIDERS[target].allow})` : ''
  throw new Error(
    `The dump has extensions that "${facts.server.role}" cannot create on the target's PostgreSQL ${facts.server.version}: ${names.join(', ')}. Nothing was restored. Install or allow them there${where}, or leave them out of the dump`,
  )
}

function tell(leftOut: readonly LeftOut[]): void {
  for (const line of describeLeftOut(leftOut.filter(({ lossless }) => lossless)))
    log.info(`Not needed: ${line}`)
  for (const line of describeLeftOut(leftOut.filter(({ lossless }) => !lossless)))
    log.warning(`Left out: ${line}`)
}
