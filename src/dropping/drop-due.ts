import { onDatabase } from '../database/connection/connection.ts'
import type { Session } from '../database/connection/session.ts'
import { type DatabaseRow, readDatabases } from '../database/databases.ts'
import type { Fate } from '../database/fate.ts'
import type { Marker } from '../database/marker.ts'
import { isPoint } from '../database/ownership.ts'
import { holdsLocks, tryLock, unlock } from '../database/server.ts'
import { messageOf } from '../errors.ts'
import { OpenPullRequests } from '../github/open-pull-requests.ts'
import { log } from '../report/log.ts'
import { protectionOf } from '../restoring/guards.ts'
import { checkObstacles } from '../restoring/obstacles.ts'
import type { Step } from '../step/step.ts'
import { dropOne, type Place, withPoints } from './drop-database.ts'
import { type Conditions, judge, obstacleOf, type Verdict } from './judge.ts'
import { matchesAny } from './patterns.ts'

/** A database of this action with its restore points, or what is left of them without it. */
type Candidate = { name: string; marker: Marker; rows: readonly DatabaseRow[] }

/** Reads the conditions again, as they are now. */
type Look = () => Promise<Conditions>

/**
 * Drops the databases of this action that match `databases` and that are due, with their restore points. Each is looked at
 * again under its lock before it is dropped, and one that cannot be dropped does not stop the others.
 *
 * @returns what became of every database that matches
 */
export async function dropDue(step: Step, place: Place): Promise<Fate[]> {
  const { databases: patterns } = step.inputs
  const look = conditionsOf(step)
  const conditions = await step.retry(look)
  const rows = await readDatabases(place.session)
  const candidates = candidatesOf(rows, patterns)
  const fates: Fate[] = []
  for (const candidate of candidates) {
    step.signal.throwIfAborted()
    const verdict = verdictOf(step, candidate, conditions)
    fates.push(
      ...(verdict.drop ? await dropAgain(step, place, candidate, look) : keep(candidate, verdict.reason)),
    )
  }
  const decided = new Set(fates.map(({ name }) => name))
  const others = rows.filter(({ name }) => !decided.has(name) && matchesAny(name, patterns))
  fates.push(...others.map((row) => ({ name: row.name, fate: 'kept' as const, reason: obstacleOf(row)! })))
  for (const { name, fate, reason } of fates) if (fate === 'kept') log.info(`Kept "${name}": ${reason}`)
  return fates.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Returns a function that reads the time and the open pull requests, if they matter. */
function conditionsOf({ inputs, environment, run, signal }: Step): Look {
  const { GITHUB_API_URL = 'https://api.github.com', GITHUB_SERVER_URL = 'https://github.com' } = environment
  const { databases: patterns, olderThan, closedPullRequests, githubToken: token } = inputs
  const { repository } = run
  if (closedPullRequests && !/^[\w.-]+\/[\w.-]+$/.test(repository))
    throw new Error(
      'closed-pull-requests needs the repository whose pull requests it reads, and GITHUB_REPOSITORY does not name one; run the step in a workflow of GitHub',
    )
  const github = { url: GITHUB_API_URL.replace(/\/+$/, ''), repository, token, signal }
  const pullRequests = closedPullRequests ? new OpenPullRequests(github, environment) : null
  const runsOf = `${GITHUB_SERVER_URL}/${repository}/actions/runs/`
  return async () => {
    const open = pullRequests ? await pullRequests.read() : null
    return { patterns, olderThan, open, runsOf, now: Date.now() }
  }
}

/** Returns the live databases of this action that match, and those of whom only restore points are left. */
function candidatesOf(rows: readonly DatabaseRow[], patterns: readonly string[]): Candidate[] {
  const ours = rows.filter((row) => obstacleOf(row) === null).map(({ name }) => name)
  const gone = rows.filter(isPoint).map(({ marker }) => marker!.of)
  const names = [...ours, ...gone.filter((name) => !rows.some((row) => row.name === name))]
  const matching = [...new Set(names)].filter((name) => matchesAny(name, patterns))
  return matching.map((name) => candidateOf(rows, name)!)
}

/** The database itself decides, and without it the newest restore point. */
function candidateOf(all: readonly DatabaseRow[], name: string): Candidate | null {
  const rows = withPoints(all, name)
  const database = rows.find((row) => row.name === name)
  if (database && obstacleOf(database) !== null) return null
  const [newest] = rows.map(({ marker }) => marker!).toSorted((a, b) => (a.at < b.at ? 1 : -1))
  const marker = database?.marker ?? newest
  return marker ? { name, marker, rows } : null
}

function verdictOf(
  { inputs, target }: Step,
  { name, marker, rows }: Candidate,
  conditions: Conditions,
): Verdict {
  const names = [name, ...rows.map((row) => row.name)]
  const protection = names.map((one) => protectionOf(inputs, onDatabase(target, one))).find(Boolean)
  return protection ? { drop: false, reason: protection } : judge(name, marker, conditions)
}

function keep({ rows }: Candidate, reason: string): Fate[] {
  return rows.map(({ name }) => ({ name, fate: 'kept', reason }))
}

/** Drops a database if nothing that decides about it has changed. An error is the fate of what is left of it. */
async function dropAgain(step: Step, place: Place, seen: Candidate, look: Look): Promise<Fate[]> {
  const dropped: Fate[] = []
  try {
    const conditions = await step.retry(look)
    const kept = await withLock(place.session, seen.name, async () => {
      const found = await lookAgain(place.session, seen)
      if (!found) return 'was changed while this step ran'
      const { drop, reason } = verdictOf(step, found, conditions)
      if (!drop) return reason
      const names = found.rows.map(({ name }) => name)
      await checkObstacles(place.session, names)
      for (const row of found.rows) dropped.push(await dropOne(step.inputs, place, row, reason))
      return null
    })
    return kept === null ? dropped : keep(seen, kept)
  } catch (error) {
    step.signal.throwIfAborted()
    const reason = messageOf(error)
    log.warning(`Could not drop "${seen.name}": ${reason}`)
    const rest = seen.rows.filter(({ name }) => !dropped.some((fate) => fate.name === name))
    return [...dropped, ...rest.map(({ name }) => ({ name, fate: 'failed' as const, reason }))]
  }
}

/** Does work under the lock of a database, and returns why it stays, or null when it is gone. */
async function withLock(
  session: Session,
  name: string,
  work: () => Promise<string | null>,
): Promise<string | null> {
  if (!(await tryLock(session, name))) return 'another run of this action is working on it'
  try {
    return await work()
  } finally {
    // A session that has ended holds nothing, and its error is known.
    await unlock(session, name).catch(() => {})
  }
}

/** Returns a database as it is now; null when it or one of its restore points is another one, or has another mark. */
async function lookAgain(session: Session, seen: Candidate): Promise<Candidate | null> {
  const found = candidateOf(await readDatabases(session), seen.name)
  const identity = ({ rows }: Candidate) => JSON.stringify(rows.map(({ oid, comment }) => [oid, comment]))
  if (!found || identity(found) !== identity(seen)) return null
  // A lock is held on one server, so these are the databases of the server that was looked at.
  return (await holdsLocks(session, [seen.name])) ? found : null
}
