import * as core from '@actions/core'
import type { Child } from './process/child.ts'
import { processIdentity } from './process/process-group.ts'

/** Something of ours that exists for a while and must not outlive the step. */
export type Pending =
  | { kind: 'file'; path: string }
  | { kind: 'upload'; key: string }
  /** Stored data that are no dumps: not yet, because their manifests are written last, or not any more. */
  | { kind: 'data'; keys: string[] }
  | { kind: 'database'; name: string }
  /** A database that lets nobody in for the moment of a swap. */
  | { kind: 'door'; name: string }
  /** A process group, with what tells its leader from a later process of the same number. */
  | { kind: 'process'; pid: number; identity: string }

const STATE = 'pending'
const open = new Set<Pending>()

function save(): void {
  if (process.env.GITHUB_STATE) core.saveState(STATE, JSON.stringify([...open]))
}

/**
 * Writes down what a killed step would leave behind, where the post step finds it.
 *
 * @returns a function that crosses it out again
 */
export function notePending(item: Pending): () => void {
  open.add(item)
  save()
  return () => crossOut(item)
}

/** Writes down a process group, for as long as it must not outlive the step. */
export function noteGroup({ pid = 0 }: Pick<Child, 'pid'>): () => void {
  const identity = processIdentity(pid)
  return identity ? notePending({ kind: 'process', pid, identity }) : () => undefined
}

/** Forgets what has been removed. */
export function crossOut(item: Pending): void {
  if (open.delete(item)) save()
}

/** What an attempt that has ended could not remove. Processes live longer than an attempt. */
export function openLeftovers(): Pending[] {
  return [...open].filter(({ kind }) => kind !== 'process')
}

/** In the post step: what main could not finish, the latest first. */
export function readPending(): Pending[] {
  const state = core.getState(STATE)
  return state ? (JSON.parse(state) as Pending[]).reverse() : []
}
