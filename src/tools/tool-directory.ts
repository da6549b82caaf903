import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ToolEnvironment } from './options.ts'

/** Where we keep what we downloaded: the runner's tool cache, which outlives the job on a self-hosted runner. */
export function toolDirectory({ env }: ToolEnvironment): string {
  return join(env.RUNNER_TOOL_CACHE || env.RUNNER_TEMP || tmpdir(), 'pgclone-action')
}

/** Runs `work` with an empty folder on the file system of our tool directory; nothing of it stays. */
export async function withStaging<T>(
  environment: ToolEnvironment,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const directory = toolDirectory(environment)
  await mkdir(dirname(directory), { recursive: true })
  const folder = await mkdtemp(`${directory}-`)
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Moves a finished folder to its place in one step, over a broken one that may be there. */
export async function moveIntoPlace(folder: string, home: string): Promise<void> {
  await mkdir(dirname(home), { recursive: true })
  await rm(home, { recursive: true, force: true })
  await rename(folder, home)
}
