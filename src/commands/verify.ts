import type { TocEntry } from '../archive/archive.ts'
import { checkAssertions } from '../database/assertions.ts'
import { clientEnvironment, onDatabase } from '../database/connection/connection.ts'
import type { Session } from '../database/connection/session.ts'
import { countAgain, dumpSchema, grantOwnTables, missingFrom, schemaObjects } from '../database/inspect.ts'
import { omittedEntries } from '../database/restore/omitted-entries.ts'
import { seeingAllRows } from '../database/row-security.ts'
import { findSequencesBehind } from '../database/sequences.ts'
import { createStaging } from '../database/staging.ts'
import { lookAtPrimary } from '../database/standby.ts'
import { formatDuration, formatNames, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { describeDifference, withoutLeftOut } from '../restoring/check-download.ts'
import { downloadDump, type Received } from '../restoring/download-dump.ts'
import { type Dump, dumpFinder } from '../restoring/find-dump.ts'
import { databaseSink, sizesIn } from '../restoring/transfer-archive.ts'
import { placeOf } from '../step/open-storage.ts'
import type { Step } from '../step/step.ts'
import { manifestKey } from '../storage/keys.ts'
import { formatManifest, type Manifest, type TableRows } from '../storage/manifest.ts'
import type { Storage } from '../storage/storage.ts'
import { verifySummary } from '../summary/dump-summary.ts'
import { type EvidenceRun, evidenceOf, type Verified } from '../summary/evidence.ts'
import { countOutputs, type Outcome } from '../summary/outcome.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'

/** Restores a stored dump into a temporary database and compares the result with the manifest. */
export async function verify(step: Step): Promise<Outcome> {
  await using scope = new AsyncDisposableStack()
  const dump = await step.retry(() => log.group('Find the dump', dumpFinder(step, scope)))
  const { manifest } = dump.chosen
  if (!manifest)
    throw new Error(
      `${dump.chosen.key} has no manifest, so there is nothing to compare it with; name a dump that this action has committed`,
    )
  const verified = await step.retry(() => restoreAndCompare(step, dump, manifest))
  const { at, serverVersion } = verified
  await step.retry(() => record(dump.storage, { ...manifest, verified: { at, serverVersion } }))
  log.info(`Verified ${dump.storage.address(manifest.key)} in ${formatDuration(step.effort.durationMs)}`)
  return describeVerification(step, dump.storage, manifest, verified)
}

function describeVerification(step: Step, storage: Storage, manifest: Manifest, verified: Verified): Outcome {
  const { inputs, effort } = step
  const place = placeOf(inputs, storage, manifest.key)
  const failure = restoreTimeProblem(inputs, verified.restoreMs)
  const evidence = evidenceOf(manifest, verified, { uri: place.uri, limits: inputs, run: runOf(step) })
  return {
    outputs: {
      'dump-key': manifest.key,
      'dump-uri': place.uri,
      'dump-size': manifest.size,
      'dump-sha256': manifest.sha256,
      'created-at': manifest.createdAt,
      ...countOutputs(verified.restored),
      'server-version': verified.serverVersion,
      ...(failure ? {} : { verified: 'true' }),
      evidence: JSON.stringify(evidence),
    },
    summary: [verifySummary(manifest, verified, { place, maxRestoreTime: inputs.maxRestoreTime, ...effort })],
    failure,
  }
}

/** Returns why the restore took too long, or null. The dump is sound all the same. */
function restoreTimeProblem({ maxRestoreTime }: Step['inputs'], restoreMs: number): string | null {
  if (maxRestoreTime === null || restoreMs <= maxRestoreTime) return null
  return `The dump is sound, but its restore took ${formatDuration(restoreMs)}, and max-restore-time is ${formatDuration(maxRestoreTime)}; use a faster server or runner, raise jobs, or raise max-restore-time`
}

function runOf({ run, environment }: Step): EvidenceRun {
  const { GITHUB_WORKFLOW, GITHUB_EVENT_NAME, GITHUB_ACTOR, GITHUB_RUN_ATTEMPT } = environment
  return {
    ...run,
    workflow: GITHUB_WORKFLOW ?? '',
    event: GITHUB_EVENT_NAME ?? '',
    actor: GITHUB_ACTOR ?? '',
    attempt: GITHUB_RUN_ATTEMPT ?? '',
  }
}

/** Writes the evidence into the manifest, and removes the manifest again if another run deleted the dump meanwhile. */
async function record(storage: Storage, manifest: Manifest): Promise<void> {
  const { key } = manifest
  if ((await storage.size(manifestKey(key))) !== null) {
    await storage.replaceText(manifestKey(key), formatManifest(manifest))
    if ((await storage.size(key)) !== null) return
    await storage.remove(manifestKey(key))
  }
  throw new Error(
    `${key} is sound, but another run deleted it during verify; keep them apart by a concurrency group`,
  )
}

/** Restores the dump into a temporary database, compares it and drops the database. */
async function restoreAndCompare(step: Step, dump: Dump, manifest: Manifest): Promise<Verified> {
  const { inputs, run } = step
  await using session = await step.maintenance({ direct: true, keepsTarget: true })
  const server = await lookAtPrimary(session, inputs.command)
  if (!server.createdb)
    throw new Error(
      `The role "${server.role}" may not create databases, which verify needs; grant it CREATEDB, or use another role or server`,
    )
  // The restored database is dumped again for the comparison, which a client older than the server cannot do.
  const client = await step.client({ serverMajor: server.major, purpose: 'dump' })
  const wanted = { locale: manifest.locale, tablespace: null, settings: [] }
  const started = performance.now()
  await using temporary = await createStaging({ session, server, run: run.url }, manifest.database, wanted)
  const received = await log.group(`Restore into ${temporary.name}`, async () =>
    downloadDump(
      step,
      dump,
      { server, client, database: temporary.name, untouched: '' },
      databaseSink(step, client, temporary.name, sizesIn(manifest)),
    ),
  )
  const restoreMs = performance.now() - started
  const open = () => step.session(onDatabase(step.target, temporary.name))
  return await log.group('Compare', async () => ({
    ...(await seeingAllRows(open, () => compare(step, manifest, received, client, temporary.name))),
    serverVersion: server.version,
    clientVersion: client.version,
    restoreMs,
    at: new Date().toISOString(),
  }))
}

async function compare(
  step: Step,
  manifest: Manifest,
  { archive, leftOut, counted }: Received,
  client: PostgresClient,
  database: string,
): Promise<Pick<Verified, 'restored' | 'objects' | 'sequences' | 'assertions'>> {
  const connection = onDatabase(step.target, database)
  await using session = await step.session(connection)
  await grantOwnTables(session)
  const { entries } = archive
  const omitted = await omittedEntries(client.pgRestore, step.inputs, {
    ...{ entries, env: clientEnvironment(connection, step.environment), signal: step.signal },
  })
  const omissions = [...omitted].map((entry) => ({ entry, why: 'pg-restore-args', lossless: false }))
  await compareRows(session, withoutLeftOut(manifest.tables, [...leftOut, ...omissions]))
  const found = (await dumpSchema(connection, client, step.environment)).entries
  const kept = entries.filter((entry) => !omitted.has(entry))
  const objects = compareSchema(kept, found)
  const out = new Set(leftOut.map(({ entry }) => entry))
  const sequences = await compareSequences(
    session,
    kept.filter((entry) => !out.has(entry)),
  )
  await checkAssertions(step.inputs.verifySql, connection, step.hookOptions(client))
  const tables = withoutLeftOut(counted.tables, omissions)
  return {
    restored: { tables, rows: sumOf(tables) },
    objects,
    sequences,
    assertions: step.inputs.verifySql.length,
  }
}

async function compareRows(session: Session, dumped: readonly TableRows[]): Promise<void> {
  const { expected, counts } = await countAgain(session, dumped)
  const difference = describeDifference(expected, counts)
  if (difference) throw new Error(`The restored database differs from the dump: ${difference}`)
  log.info(`${formatQuantity(dumped.length, 'table')} counted again, each with the dumped number of rows`)
}

/** Returns the number of objects that were found again. */
function compareSchema(dumped: readonly TocEntry[], restored: readonly TocEntry[]): number {
  const wanted = schemaObjects(dumped)
  const missing = missingFrom(wanted, schemaObjects(restored))
  if (missing.length > 0) {
    throw new Error(
      `The restored database lacks ${formatQuantity(missing.length, 'object')} of the dump: ${missing.slice(0, 5).join(', ')}`,
    )
  }
  log.info(`Found all ${formatQuantity(wanted.length, 'schema object')}`)
  return wanted.length
}

/** Most sequences that an error names. */
const MAX_NAMED_SEQUENCES = 5

/** Returns the number of sequences whose restored positions are not behind the rows. */
async function compareSequences(session: Session, entries: readonly TocEntry[]): Promise<number> {
  const stored = entries
    .filter(({ desc }) => desc === 'SEQUENCE SET')
    .map(({ namespace, tag }) => ({ schema: namespace, name: tag }))
  const { checked, behind } = await findSequencesBehind(session, stored)
  if (behind.length > 0) {
    const named = behind.map(
      ({ sequence, column, next, taken }) =>
        `${sequence} returns ${next} next, and ${column} has ${taken} already`,
    )
    throw new Error(
      `${formatQuantity(behind.length, 'column')} will get values that it has already, because a sequence is behind: ${formatNames(named, MAX_NAMED_SEQUENCES)}; set the sequence in the source database (setval), and dump again`,
    )
  }
  log.info(`${formatQuantity(checked, 'sequence')} checked, none is behind its columns`)
  return checked
}

/** Returns the rows of all tables; null if those of one are not known. */
function sumOf(tables: readonly TableRows[]): number | null {
  return tables.some(({ rows }) => rows === null) ? null : tables.reduce((sum, { rows }) => sum + rows!, 0)
}
