import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ToolEnvironment } from './options.ts'

/**
 * Where we keep what we downloaded, best first: the runner's tool cache, which outlives the job on a self-hosted runner,
 * and the runner's temporary folder where the cache is missing or not ours to write.
 */
export function toolDirectories({ env }: ToolEnvironment): string[] {
  const places = [env.RUNNER_TOOL_CACHE, env.RUNNER_TEMP, tmpdir()].filter((place) => place !== undefined)
  return [...new Set(places.filter((place) => place !== ''))].map((place) => join(place, 'pgclone-action'))
}

/**
 * Runs `work` with an empty folder on the file system of the first tool directory that can be written, and with that
 * directory; nothing of the folder stays.
 */
export async function withStaging<T>(
  environment: ToolEnvironment,
  work: (folder: string, directory: string) => Promise<T>,
): Promise<T> {
  const { folder, directory } = await makeStaging(toolDirectories(environment))
  try {
    return await work(folder, directory)
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function makeStaging(directories: readonly string[]): Promise<{ folder: string; directory: string }> {
  let reason: unknown
  for (const directory of directories) {
    try {
      await mkdir(dirname(directory), { recursive: true })
      return { folder: await mkdtemp(`${directory}-`), directory }
    } catch (error) {
      reason = error
    }
  }
  throw reason
}

/** Moves a finished folder to its place in one step, over a broken one that may be there. */
export async function moveIntoPlace(folder: string, home: string): Promise<void> {
  await mkdir(dirname(home), { recursive: true })
  await rm(home, { recursive: true, force: true, maxRetries: 5 })
  await rename(folder, home)
}
