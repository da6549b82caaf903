import { delimiter, isAbsolute, join } from 'node:path'
import { which } from '@actions/io'
import type { Environment } from './environment.ts'

/**
 * The absolute path of a program in a folder, or null. On Windows its extension is one of `PATHEXT`; elsewhere the file
 * must be executable.
 */
export async function findProgram(folder: string, name: string): Promise<string | null> {
  return (await which(join(folder, name), false)) || null
}

/**
 * The absolute folders of PATH, in order. `@actions/io` would search relative ones too, and those may lead into the
 * repository that the job has checked out.
 */
export function pathFolders({ PATH, Path }: Environment): string[] {
  const folders = (PATH ?? Path ?? '').split(delimiter)
  return [...new Set(folders.filter((folder) => isAbsolute(folder)))]
}

/** The first program of this name on the PATH of an environment, or null. */
export async function findOnPath(name: string, environment: Environment): Promise<string | null> {
  for (const folder of pathFolders(environment)) {
    const program = await findProgram(folder, name)
    if (program !== null) return program
  }
  return null
}
