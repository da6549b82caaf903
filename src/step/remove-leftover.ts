import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { basename, dirname, posix, resolve, sep } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Session } from '../database/connection/session.ts'
import { type DatabaseRow, readDatabases } from '../database/databases.ts'
import { hasTemporaryName } from '../database/names.ts'
import { dropDatabase, lookAtServer } from '../database/server.ts'
import { allowConnections } from '../database/swap.ts'
import type { Pending } from '../leftovers.ts'
import { endGroup, processIdentity } from '../process/process-group.ts'
import { removeTree } from '../process/remove-tree.ts'
import { globalsKey, manifestKey, parseDumpKey } from '../storage/keys.ts'
import type { Storage } from '../storage/storage.ts'
import type { Step } from './step.ts'

const RECHECK_DELAY_MS = 2000

/** The names of all temporary files and folders of this action. */
const TEMPORARY_FILE = /^\.?pgclone-/

/**
 * Removes what a step or an attempt left behind, after checking that it is what a step of this action leaves.
 *
 * @returns false when it was already gone
 * @throws an Error when it is something else, or stays
 */
export async function removeLeftover(step: Step, item: Pending): Promise<boolean> {
  if (item.kind === 'file') return removeFile(item.path, foldersOf(step))
  if (item.kind === 'process') return removeGroup(item)
  if (item.kind === 'upload') return (await step.storage()).abandon(dumpKey(item.key))
  if (item.kind === 'data') return removeData(await step.storage(), item.keys.map(dumpKey))
  await using session = await step.maintenance()
  if (item.kind === 'connections') return await unblock(session, step, item.database)
  return await removeDatabase(session, step, item.name)
}

/** Ends a process group; the number alone may belong to another one by now. */
export async function removeGroup({ pid, identity }: { pid: number; identity: string }): Promise<boolean> {
  if (processIdentity(pid) !== identity) return false
  await endGroup(pid, identity)
  return true
}

function foldersOf({ tempDirectory, workspace, inputs: { location } }: Step): string[] {
  return [tempDirectory, ...(location.kind === 'folder' ? [resolve(workspace, location.path)] : [])]
}

/**
 * Removes a temporary file until it stays away: an AWS CLI that outlived this process creates its download folder again.
 *
 * @param folders where this action puts temporary files
 */
export async function removeFile(path: string, folders: readonly string[]): Promise<boolean> {
  if (!existsSync(path)) return false
  const parent = await realpath(dirname(path))
  const real = await Promise.all(folders.map((folder) => realpath(folder).catch(() => folder)))
  const inside = real.some((folder) => `${parent}${sep}`.startsWith(`${folder}${sep}`))
  if (!inside || !TEMPORARY_FILE.test(basename(path)))
    throw new Error('it is not a temporary file of this action')
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    await removeTree(path)
    await wait(RECHECK_DELAY_MS)
    if (!existsSync(path)) return true
  }
  throw new Error('a program still writes to it; end that program and delete it by hand')
}

function dumpKey(key: string): string {
  if (parseDumpKey(key)) return key
  throw new Error('it is not the key of a dump')
}

/**
 * Removes data without a manifest. An AWS CLI that outlived the step completes its request, so both are removed once more:
 * a manifest that appears now has no data.
 */
async function removeData(storage: Storage, keys: readonly string[]): Promise<boolean> {
  const data: string[] = []
  for (const folder of new Set(keys.map((key) => posix.dirname(key)))) {
    const stored = new Set((await storage.list(folder)).map(({ key }) => key))
    data.push(...keys.filter((key) => stored.has(key) && !stored.has(manifestKey(key))))
  }
  if (data.length === 0) return false
  const parts = data.flatMap((key) => [globalsKey(key), key])
  await storage.removeAll(parts)
  await wait(RECHECK_DELAY_MS)
  await storage.removeAll([...parts, ...data.map(manifestKey)])
  return true
}

async function findDatabase(session: Session, name: string): Promise<DatabaseRow | undefined> {
  return (await readDatabases(session)).find((database) => database.name === name)
}

async function removeDatabase(session: Session, { run }: Step, name: string): Promise<boolean> {
  const database = await findDatabase(session, name)
  if (!database) return false
  if (!isStagingOf(database, run.url))
    throw new Error('it does not have the name and the mark of a temporary database of this run')
  await dropDatabase(session, await lookAtServer(session), name)
  return true
}

/** The mark is missing when the step was killed at `CREATE DATABASE`, which the server finishes. */
function isStagingOf(database: DatabaseRow, run: string): boolean {
  const { name, comment, marker } = database
  const marked = marker?.kind === 'staging' && marker.run === run
  return hasTemporaryName(name) && (comment === null || marked)
}

/** Allows connections to the target again, and to no other database. */
async function unblock(session: Session, step: Step, name: string): Promise<boolean> {
  if (name !== step.target.database) throw new Error('it is not the database of this step')
  const database = await findDatabase(session, name)
  if (!database || database.allowsConnections) return false
  await allowConnections(session, name)
  return true
}
