import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { analyzeDatabase } from '../database/analyze.ts'
import { onDatabase } from '../database/connection/connection.ts'
import { identifier, type Session } from '../database/connection/session.ts'
import { readDatabases } from '../database/databases.ts'
import { commentStatement } from '../database/properties.ts'
import { dropDatabase, tryLock, unlock } from '../database/server.ts'
import { sqlFile } from '../database/sql-file.ts'
import { copyDatabase, markerText, type TemporaryDatabase } from '../database/staging.ts'
import { endWork } from '../database/work-settings.ts'
import { messageOf } from '../errors.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { Manifest } from '../storage/manifest.ts'
import { runOnStaging } from './run-on-staging.ts'
import { digestScript } from './script-digest.ts'
import type { Target } from './target.ts'

const PREFIX = 'pgclone_template_'
const POLL_INTERVAL_MS = 500

/** The hooks that run once on the template, with the digests of their files, and those that run on every preview. */
export type HookPlan = { baked: string[]; digests: string[]; live: string[] }

/**
 * Splits hooks. Those for the template are the `.sql` files before the first shell command (`npm run migrate`), whose effect
 * depends on more than its text, and before the first file of which only psql knows what it reads.
 */
export async function splitHooks(
  { preSwapHooks: hooks, reversible }: Pick<Inputs, 'preSwapHooks' | 'reversible'>,
  workspace: string,
): Promise<HookPlan> {
  const digests: string[] = []
  // The restore point `__post` is the state before the hooks, so with `reversible` all hooks run on the preview.
  for (const hook of reversible ? [] : hooks) {
    const path = sqlFile(hook, workspace)
    if (path === null) break
    const script = await digestScript(path, workspace)
    if ('unknown' in script) {
      log.notice(
        `${hook} and the hooks after it run on every preview instead of once on the template (template-cache), because only psql knows which files they read: ${script.unknown}`,
      )
      break
    }
    digests.push(script.digest)
  }
  return { baked: hooks.slice(0, digests.length), digests, live: hooks.slice(digests.length) }
}

/** Returns the name of the template for a dump and a recipe. A difference in either makes another template. */
function templateName(inputs: Inputs, { digests }: HookPlan, manifest: Manifest, target: Target): string {
  const recipe = [
    manifest.sha256,
    digests,
    inputs.pgRestoreArgs,
    inputs.ownerAndAcl,
    inputs.tolerateErrors.map(String),
    inputs.provider,
    target.locale ?? manifest.locale,
    target.properties?.settings ?? [],
    target.server.role,
    // A template of a masked dump is never that of another one.
    ...(manifest.mask ? [manifest.mask] : []),
  ]
  return PREFIX + createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 24)
}

/**
 * Copies the template of a dump into a new staging database, and makes the template first if it does not exist.
 *
 * @param restore restores the dump into a new staging database
 */
export async function copyFromTemplate(
  step: Step,
  { manifest, hooks }: { manifest: Manifest; hooks: HookPlan },
  target: Target,
  restore: () => Promise<TemporaryDatabase>,
): Promise<TemporaryDatabase> {
  const { session, maker } = target
  const name = templateName(step.inputs, hooks, manifest, target)
  await lockTemplate(session, name, step.signal)
  try {
    if (await isReady(session, name)) log.info(`Copying the template "${name}"`)
    else await makeTemplate(step, target, { name, hooks: hooks.baked }, restore)
    const copy = await copyDatabase(maker, name, target.name, target.properties?.tablespace ?? null)
    await dropOldTemplates(target, name, step.inputs.templateCache)
    return copy
  } finally {
    await unlock(session, name)
  }
}

/** Locks a template. A run that comes second waits until the template is ready. */
async function lockTemplate(session: Session, name: string, signal: AbortSignal): Promise<void> {
  for (let logged = false; !(await tryLock(session, name)); logged = true) {
    if (!logged) log.info(`Another run is making or copying the template "${name}"; waiting for it`)
    await wait(POLL_INTERVAL_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

/** Whether a template exists. It gets its name when it is finished, so a template of that name is complete. */
async function isReady(session: Session, name: string): Promise<boolean> {
  const databases = await readDatabases(session)
  return databases.some((database) => database.name === name && database.marker?.kind === 'template')
}

async function makeTemplate(
  step: Step,
  target: Target,
  { name, hooks }: { name: string; hooks: readonly string[] },
  restore: () => Promise<TemporaryDatabase>,
): Promise<void> {
  const { session, server, client, maker } = target
  log.info(`There is no template of this dump and recipe yet; making "${name}"`)
  await using staging = await restore()
  await runOnStaging(step, client, staging.name, { hooks, assertions: [] })
  await endWork(maker, staging.name)
  const open = () => step.session(onDatabase(step.target, staging.name))
  await analyzeDatabase({ open, major: server.major }, step.inputs.jobs)
  // One transaction, so that a database with a template's name is complete and carries the template's marker.
  await session.transaction(
    commentStatement(staging.name, markerText('template', name, maker.run)),
    `ALTER DATABASE ${identifier(staging.name)} ALLOW_CONNECTIONS false`,
    `ALTER DATABASE ${identifier(staging.name)} RENAME TO ${identifier(name)}`,
  )
  staging.release()
}

/** Drops all but the newest templates. A template that another run is copying is left for the next run. */
async function dropOldTemplates({ session, server }: Target, current: string, limit: number): Promise<void> {
  const templates = (await readDatabases(session))
    .filter(({ name, marker }) => marker?.kind === 'template' && name.startsWith(PREFIX) && name !== current)
    .sort((a, b) => (a.marker!.at < b.marker!.at ? 1 : -1))
  for (const { name } of templates.slice(limit - 1)) {
    if (!(await tryLock(session, name))) continue
    try {
      await dropDatabase(session, server, name)
      log.info(`Dropped the older template "${name}"`)
    } catch (error) {
      log.warning(`Could not drop the older template "${name}": ${messageOf(error)}`)
    } finally {
      await unlock(session, name)
    }
  }
}
