import { holdsLocks, lockTarget, readOid, tryLock } from '../database/server.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { Target } from './target.ts'

/**
 * Makes sure that this run still holds the locks on its target and its temporary databases. A connection that was idle
 * during a long restore may be gone, and its locks with it; then a new session takes them again.
 *
 * @param scope ends the new session
 * @throws an Error when another run has taken one of them or has replaced the target meanwhile
 */
export async function keepClaim(
  step: Step,
  target: Target,
  temporary: readonly string[],
  scope: AsyncDisposableStack,
): Promise<void> {
  // A session that has ended holds nothing.
  if (await holdsLocks(target.session, [target.name, ...temporary]).catch(() => false)) return
  log.warning(`The connection that held the lock on "${target.name}" was lost; taking the lock again`)
  const session = scope.use(await step.maintenance({ direct: true }))
  await lockTarget(session, target.name)
  if ((await readOid(session, target.name)) !== target.oid)
    throw new Error(
      `"${target.name}" was replaced, created or dropped while the lock on it was lost; run the step again`,
    )
  for (const name of temporary) {
    if ((await tryLock(session, name)) && (await readOid(session, name)) !== null) continue
    throw new Error(`"${name}" was taken by another run while the lock on it was lost; run the step again`)
  }
  target.session = session
  target.maker.session = session
}
