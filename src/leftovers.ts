import * as core from '@actions/core'
import type { Child } from './process/child.ts'
import { processIdentity } from './process/process-group.ts'

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
const open = new Set<Pending>()

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

/** Records a process group that must not outlive the step; returns a function that removes the record. */
export function noteGroup({ pid = 0 }: Pick<Child, 'pid'>): () => void {
  const identity = processIdentity(pid)
  return identity ? notePending({ kind: 'process', pid, identity }) : () => undefined
}

/** Removes the record of something that is gone. */
export function crossOut(item: Pending): void {
  if (open.delete(item)) save()
}

/** Returns what an attempt has left behind. Processes are excluded, because they live longer than an attempt. */
export function openLeftovers(): Pending[] {
  return [...open].filter(({ kind }) => kind !== 'process')
}

/** Returns what the main step has left behind, newest first. For the post step. */
export function readPending(): Pending[] {
  const state = core.getState(STATE)
  return state ? (JSON.parse(state) as Pending[]).reverse() : []
}
