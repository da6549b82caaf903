import type { Session } from '../database/connection/session.ts'
import { compareRights, type Rights, readRights } from '../database/rights.ts'
import { messageOf } from '../errors.ts'
import { formatNames } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { Target } from './target.ts'

/** More names would make the warning too long. */
const MAX_NAMED = 20

/** Reads the rights in the database that will be replaced; null if there is none, or after a warning if it cannot be read. */
export async function rightsBefore(step: Step, { properties }: Target): Promise<Rights | null> {
  if (!properties?.allowsConnections) return null
  return unlessImpossible(step, () => read(step))
}

/**
 * Warns before the swap if roles that own something or have grants in the database that is being replaced would have none
 * in the new one, and if functions that were guarded there would be open to everybody.
 *
 * @param open opens the database that takes its place
 */
export async function warnOfLostRights(
  step: Step,
  before: Rights,
  open: () => Promise<Session>,
): Promise<void> {
  await unlessImpossible(step, async () => report(step, await compareRights(await open(), before), 'has'))
}

/** Rights that cannot be compared are not a reason to keep the old database. */
async function unlessImpossible<Result>(step: Step, work: () => Promise<Result>): Promise<Result | null> {
  try {
    return await work()
  } catch (error) {
    step.signal.throwIfAborted()
    log.warning(`Could not compare the rights of roles in the old and the new database: ${messageOf(error)}`)
    return null
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
