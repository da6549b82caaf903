import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { removeTree } from '../process/remove-tree.ts'
import { matching } from './matching.ts'
import type { ToolEnvironment } from './options.ts'
import { isTrusted, letsOthersReplace } from './trusted-folder.ts'

/** Folders are made with this mode, so that a permissive umask does not let a group change programs. */
const FOLDER_MODE = 0o755

/**
 * Where this action keeps the programs that it downloaded, best first: the runner's tool cache, which outlives the job on a
 * self-hosted runner, and the runner's temporary folder where the cache is missing or cannot be written. The system's
 * temporary folder, in which every user may make folders, is used only where no runner names its own.
 */
export function toolDirectories({ env }: ToolEnvironment): string[] {
  const named = [env.RUNNER_TOOL_CACHE, env.RUNNER_TEMP].filter(
    (place) => place !== undefined && place !== '',
  )
  const places = named.length > 0 ? named : [tmpdir()]
  return [...new Set(places)].map((place) => join(place!, 'pgclone-action'))
}

/** The programs in the tool directories that match the patterns, without those that another user may have put there. */
export async function programsInToolDirectories(
  environment: ToolEnvironment,
  patterns: readonly string[],
): Promise<string[]> {
  const programs: string[] = []
  for (const directory of toolDirectories(environment)) {
    if (await letsOthersReplace(dirname(directory))) continue
    for (const program of await matching(directory, patterns)) {
      if (await isTrusted(directory, program)) programs.push(program)
    }
  }
  return programs
}

/**
 * Runs `work` with an empty folder, which is removed afterwards, and with the first tool directory that can be used; both are on
 * one file system.
 */
export async function withStaging<T>(
  environment: ToolEnvironment,
  work: (folder: string, directory: string) => Promise<T>,
): Promise<T> {
  const { folder, directory } = await makeStaging(toolDirectories(environment))
  try {
    return await work(folder, directory)
  } finally {
    await removeTree(folder)
  }
}

async function makeStaging(directories: readonly string[]): Promise<{ folder: string; directory: string }> {
  let reason: unknown
  for (const directory of directories) {
    try {
      await mkdir(dirname(directory), { recursive: true, mode: FOLDER_MODE })
      await refuseForeign(directory)
      return { folder: await mkdtemp(`${directory}-`), directory }
    } catch (error) {
      reason = error
    }
  }
  throw reason
}

/** @throws when another user could change what is put into a tool directory */
async function refuseForeign(directory: string): Promise<void> {
  if (await letsOthersReplace(dirname(directory))) {
    throw new Error(
      `every user can replace ${directory}; make ${dirname(directory)} writable for its owner only`,
    )
  }
  if (existsSync(directory) && !(await isTrusted(directory, directory))) {
    throw new Error(
      `${directory} belongs to another user or can be written by one; remove it, or make it writable for its owner only`,
    )
  }
}

/** Moves a finished folder below a tool directory in one step, replacing a broken one that may be there. */
export async function moveIntoPlace(folder: string, home: string): Promise<void> {
  await mkdir(dirname(home), { recursive: true, mode: FOLDER_MODE })
  await removeTree(home)
  await rename(folder, home)
}
