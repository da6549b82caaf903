import { type DatabaseRow, readDatabases } from '../database/databases.ts'
import { relatedName } from '../database/names.ts'
import { isPoint } from '../database/ownership.ts'
import { copyDatabase, type TemporaryDatabase } from '../database/staging.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import { pointSummary } from '../summary/database-summary.ts'
import { liveOutputs, type Outcome } from '../summary/outcome.ts'
import { copyExclusively } from './copy-exclusively.ts'
import { replaceDatabase } from './replace-database.ts'
import type { Target } from './target.ts'

/** Restores `:pre`, `:post` or `:name`, a database of the target's server: copies it, runs hooks and swaps the copy in. */
export async function restorePoint(step: Step): Promise<Outcome> {
  const { dumpKey, preSwapHooks } = step.inputs
  const replaced = await step.retry(() =>
    replaceDatabase(step, async () => ({
      what: dumpKey,
      check: async (target) => void (await findPoint(step.inputs, target)),
      build: (target) => copyPoint(step, target),
      hooks: preSwapHooks,
    })),
  )
  if ('outputs' in replaced) return replaced
  const { result: point, ...live } = replaced
  return {
    outputs: {
      'dump-key': dumpKey,
      ...liveOutputs(live),
    },
    summary: [pointSummary({ point, target: step.target.label, ...live, ...step.effort })],
  }
}

/** @throws an Error when there is no such database, or when it may not be copied */
async function findPoint(inputs: Inputs, target: Target): Promise<DatabaseRow> {
  const reference = inputs.dumpKey.slice(1)
  const name = ['pre', 'post'].includes(reference) ? relatedName(target.name, reference) : reference
  const point = (await readDatabases(target.session)).find((database) => database.name === name)
  if (!point)
    throw new Error(
      `There is no database "${name}" on the server (list with local: true shows what there is)`,
    )
  if (name === target.name)
    throw new Error(`dump-key names the target itself, "${name}"; name another database`)
  if (point.sessions > 0 && !mayEndSessions(inputs, point)) {
    throw new Error(
      `"${name}" has ${formatQuantity(point.sessions, 'session')}, and a copy needs it for itself; set disconnect-source: true to end them`,
    )
  }
  return point
}

/** Sessions in a restore point may be ended without asking. In any other database a client may be working. */
function mayEndSessions({ disconnectSource }: Inputs, database: DatabaseRow): boolean {
  return disconnectSource || isPoint(database)
}

async function copyPoint(
  step: Step,
  target: Target,
): Promise<{ staging: TemporaryDatabase; result: string }> {
  const point = await findPoint(step.inputs, target)
  const { name } = point
  log.info(`Copying the files of "${name}" on the server`)
  const tablespace = target.properties?.tablespace ?? null
  const staging = mayEndSessions(step.inputs, point)
    ? await copyExclusively(step, target, name)
    : await copyDatabase(target.maker, name, target.name, tablespace)
  return { staging, result: name }
}
