import { readFile, realpath } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'

type Event = { repository?: { private?: boolean; visibility?: string } }

/**
 * Warns of a dump that strangers can read if a later step uploads it: real data in the workspace of a public repository,
 * whose artifacts and caches are public too.
 */
export async function warnOfPublicWorkspace(step: Step): Promise<void> {
  const { encryptTo, mask, schemaOnly, location } = step.inputs
  if (encryptTo.length > 0 || mask !== '' || schemaOnly || location.kind !== 'folder') return
  if (!(await isInside(resolve(step.workspace, location.path), step.workspace))) return
  if (!isPublic(await readEvent(step.environment.GITHUB_EVENT_PATH))) return
  log.warning(
    `storage-location is in the workspace of a public repository, and the dump is neither encrypted nor masked: everybody can download what a later step uploads as an artifact. Set encrypt-to or mask`,
  )
}

/** Compares paths as they are written and where symbolic links lead. */
async function isInside(folder: string, top: string): Promise<boolean> {
  const both = async (path: string) => [path, await realpath(path).catch(() => path)]
  const [folders, tops] = await Promise.all([both(folder), both(top)])
  return folders.some((path) => tops.some((parent) => `${path}${sep}`.startsWith(`${parent}${sep}`)))
}

/** An event that cannot be read says nothing about the repository. */
async function readEvent(path: string | undefined): Promise<Event> {
  try {
    return (JSON.parse(await readFile(path ?? '', 'utf8')) ?? {}) as Event
  } catch {
    return {}
  }
}

function isPublic({ repository }: Event): boolean {
  return repository?.private === false || repository?.visibility === 'public'
}
