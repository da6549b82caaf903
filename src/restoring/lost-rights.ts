import { allOf } from '../all-of.ts'
import { onDatabase } from '../database/connection/connection.ts'
import { compareRights, type Rights, readRights } from '../database/rights.ts'
import { messageOf } from '../errors.ts'
import { formatNames } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { Target } from './target.ts'

/** More names would make the warning too long. */
const MAX_NAMED = 20

/**
 * Warns before the swap if roles that own something or have grants in the database that is being replaced would have none
 * in the new one, and if functions that were guarded there would be open to everybody.
 *
 * @param replacement the database that takes its place
 */
export async function warnOfLostRights(
  step: Step,
  { properties }: Target,
  replacement: string,
): Promise<void> {
  if (!properties?.allowsConnections) return
  try {
    await using scope = new AsyncDisposableStack()
    const open = async () => scope.use(await step.session(onDatabase(step.target, replacement)))
    const [before, session] = await allOf([read(step), open()])
    report(step, await compareRights(session, before), 'has')
  } catch (error) {
    step.signal.throwIfAborted()
    log.warning(`Could not compare the rights of roles in the old and the new database: ${messageOf(error)}`)
  }
}

/** Warns in a dry run: without owners and grants, and before hooks, everything belongs to the restoring role. */
export async function foretellLostRights(step: Step, { properties, server }: Target): Promise<void> {
  if (!properties?.allowsConnections || step.inputs.ownerAndAcl) return
  const { roles, guarded } = await read(step)
  report(step, { roles: roles.filter((name) => name !== server.role), guarded }, 'would have')
}

async function read(step: Step): Promise<Rights> {
  await using session = await step.session(step.target)
  return await readRights(session)
}

function report({ inputs, target }: Step, { roles, guarded }: Rights, verb: string): void {
  const help = inputs.ownerAndAcl
    ? 'the dump does not grant them'
    : 'set owner-and-acl: true to restore those of the dump, or grant them in pre-swap-hooks'
  const { database } = target
  if (roles.length > 0)
    log.warning(
      `The new "${database}" ${verb} no rights for the roles ${formatNames(roles, MAX_NAMED)}; ${help}`,
    )
  if (guarded.length > 0)
    log.warning(
      `The new "${database}" ${verb} functions that everybody may execute, which the present one guards: ${formatNames(guarded, MAX_NAMED)}; ${help}`,
    )
}
