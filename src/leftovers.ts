import * as core from '@actions/core'
import type { Child } from './process/child.ts'
import { processIdentity } from './process/process-group.ts'
import { type Check, hasShape, isCount, isListOf, isObject, isText } from './shape.ts'

/** Something temporary that must not outlive the step. */
export type Pending =
  | { kind: 'file'; path: string }
  | { kind: 'upload'; key: string }
  /** Stored data without a manifest, which makes it a dump: the manifest is written last and removed first. */
  | { kind: 'data'; keys: string[] }
  | { kind: 'database'; name: string }
  /** A database that refuses connections while it is being swapped. */
  | { kind: 'connections'; database: string }
  /** A process group; `identity` distinguishes its leader from a later process with the same number. */
  | { kind: 'process'; pid: number; identity: string }

const STATE = 'pending'
const MAX_TEXT_LENGTH = 10_000
const open = new Set<Pending>()
/** What belongs to the whole step and not to the attempt in which it began. */
const ofStep = new WeakSet<Pending>()

const isLimited = isText(MAX_TEXT_LENGTH)

const SHAPES: Readonly<Record<Pending['kind'], Check>> = {
  file: hasShape({ path: isLimited }),
  upload: hasShape({ key: isLimited }),
  data: hasShape({ keys: isListOf(isLimited) }),
  database: hasShape({ name: isLimited }),
  connections: hasShape({ database: isLimited }),
  process: hasShape({ pid: isCount, identity: isLimited }),
}

function save(): void {
  if (process.env.GITHUB_STATE) core.saveState(STATE, JSON.stringify([...open]))
}

/**
 * Records what a killed step would leave behind, so that the post step can remove it.
 *
 * @returns a function that removes the record
 */
export function notePending(item: Pending): () => void {
  open.add(item)
  save()
  return () => crossOut(item)
}

/** Records something that the step uses until it ends, so that no failed attempt removes it. */
export function notePendingOfStep(item: Pending): () => void {
  ofStep.add(item)
  return notePending(item)
}

/** Records a process group that must not outlive the step; returns a function that removes the record. */
export function noteGroup({ pid = 0 }: Pick<Child, 'pid'>): () => void {
  const identity = processIdentity(pid)
  return identity ? notePendingOfStep({ kind: 'process', pid, identity }) : () => undefined
}

/** Removes the record of something that is gone. */
export function crossOut(item: Pending): void {
  if (open.delete(item)) save()
}

/**
 * Watches what is recorded from now on.
 *
 * @returns a function that lists what is left of it, without what belongs to the whole step
 */
export function watchLeftovers(): () => Pending[] {
  const before = new Set(open)
  return () => [...open].filter((item) => !before.has(item) && !ofStep.has(item))
}

/** Begins the record of the main step. The runner hands over what is saved, in place of a variable of the same name. */
export function beginRecord(): void {
  save()
}

/** Returns what the main step has left behind, newest first. For the post step. */
export function readPending(): Pending[] {
  const state = core.getState(STATE)
  if (!state) return []
  const items: unknown = JSON.parse(state)
  if (!Array.isArray(items) || !items.every(isPending))
    throw new Error('The state of the main step is not a list of what it left behind')
  return items.reverse()
}

function isPending(item: unknown): item is Pending {
  return (
    isObject(item) && Object.hasOwn(SHAPES, String(item.kind)) && SHAPES[item.kind as Pending['kind']](item)
  )
}
