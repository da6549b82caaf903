import { type DatabaseRow, readDatabases } from '../database/databases.ts'
import { relatedName } from '../database/names.ts'
import { copyDatabase, type TemporaryDatabase } from '../database/staging.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { log } from '../report/log.ts'
import { setOutputs } from '../report/outputs.ts'
import type { Context } from '../step/context.ts'
import { connectionOf } from '../step/prepare.ts'
import { Attempts } from '../step/retries.ts'
import { pointSummary } from '../summary/database-summary.ts'
import { writeSummary } from '../summary/summary.ts'
import { copyAlone } from './copy-exclusively.ts'
import { replaceDatabase, type Target } from './replace-database.ts'

/** `:pre`, `:post` or `:name`: a database of the target's server → copy → hooks → swap. The point itself stays. */
export async function restorePoint(context: Context): Promise<void> {
  const started = Date.now()
  const { dumpKey, preSwapHooks } = context.inputs
  const attempts = new Attempts(context)
  const replaced = await attempts.run(() =>
    replaceDatabase(context, {
      what: dumpKey,
      check: async (target) => void (await findPoint(context, target)),
      build: (target) => copyPoint(context, target),
      hooks: preSwapHooks,
    }),
  )
  if (!replaced) return
  const { result, database, previous, server } = replaced
  const durationMs = Date.now() - started
  const target = connectionOf(context).label
  const where = { point: result, target, database, previous }
  const effort = { durationMs, attempts: attempts.made }
  await writeSummary(context, pointSummary({ ...where, serverVersion: server.version, ...effort }))
  setOutputs({
    'dump-key': dumpKey,
    database,
    ...(previous ? { 'previous-database': previous } : {}),
    'server-version': server.version,
    'duration-ms': durationMs,
  })
}

/** @throws an Error when there is no such database, or when it may not be copied */
async function findPoint({ inputs }: Context, target: Target): Promise<DatabaseRow> {
  const reference = inputs.dumpKey.slice(1)
  const name = ['pre', 'post'].includes(reference) ? relatedName(target.name, reference) : reference
  const point = (await readDatabases(target.session)).find((database) => database.name === name)
  if (!point)
    throw new Error(
      `There is no database "${name}" on the server (list with local: true shows what there is)`,
    )
  if (name === target.name) throw new Error(`dump-key names the target itself, "${name}"`)
  if (point.sessions > 0 && !mayEndSessions(inputs, point)) {
    throw new Error(
      `"${name}" has ${point.sessions} sessions, and a copy needs it for itself; set disconnect-source: true to end them`,
    )
  }
  return point
}

/** Nobody works in a restore point, whatever looks into it; any other database may be somebody's. */
function mayEndSessions({ disconnectSource }: Inputs, { marker }: DatabaseRow): boolean {
  return disconnectSource || marker?.kind === 'point'
}

async function copyPoint(
  context: Context,
  target: Target,
): Promise<{ staging: TemporaryDatabase; result: string }> {
  const point = await findPoint(context, target)
  const { name } = point
  log.info(`Copying the files of "${name}" on the server`)
  const tablespace = target.properties?.tablespace ?? null
  const staging = mayEndSessions(context.inputs, point)
    ? await copyAlone(context, target, name)
    : await copyDatabase(target.maker, name, target.name, tablespace)
  return { staging, result: name }
}
