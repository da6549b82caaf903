import type { Context } from '../context.ts'
import { readDatabases } from '../database/catalog.ts'
import { relatedName } from '../database/names.ts'
import { endSessions } from '../database/server.ts'
import { copyDatabase, type TemporaryDatabase } from '../database/staging.ts'
import { log } from '../report/log.ts'
import { setOutputs } from '../report/outputs.ts'
import { pointSummary, writeSummary } from '../report/summary.ts'
import { replaceDatabase, type Target } from './replace.ts'

/** `:pre`, `:post` or `:name`: a database of the target's server → copy → hooks → swap. The point itself stays. */
export async function restorePoint(context: Context): Promise<void> {
  const started = Date.now()
  const { dumpKey, preSwapHooks } = context.inputs
  const replaced = await replaceDatabase(context, {
    what: dumpKey,
    build: (target) => copyPoint(context, target),
    hooks: preSwapHooks,
  })
  if (!replaced) return
  const { result, database, previous, server } = replaced
  const durationMs = Date.now() - started
  await writeSummary(
    context,
    pointSummary({ point: result, database, previous, serverVersion: server.version, durationMs }),
  )
  setOutputs({
    'dump-key': dumpKey,
    database,
    ...(previous ? { 'previous-database': previous } : {}),
    'server-version': server.version,
    'duration-ms': durationMs,
  })
}

async function copyPoint(
  { inputs }: Context,
  target: Target,
): Promise<{ staging: TemporaryDatabase; result: string }> {
  const reference = inputs.dumpKey.slice(1)
  const name = ['pre', 'post'].includes(reference) ? relatedName(target.name, reference) : reference
  const point = (await readDatabases(target.session)).find((database) => database.name === name)
  if (!point)
    throw new Error(
      `There is no database "${name}" on the server (list with local: true shows what there is)`,
    )
  if (name === target.name) throw new Error(`dump-key names the target itself, "${name}"`)
  if (point.sessions > 0) {
    if (!point.marker && !inputs.disconnectSource) {
      throw new Error(
        `"${name}" has ${point.sessions} sessions, and a copy needs it for itself; set disconnect-source: true to end them`,
      )
    }
    await endSessions(target.session, name)
  }
  log.info(`Copying the files of "${name}" on the server`)
  return { staging: await copyDatabase(target.maker, name, target.name), result: name }
}
