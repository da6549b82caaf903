import { existsSync } from 'node:fs'
import { glob, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import type { ToolEnvironment } from './options.ts'

/** The absolute directories of PATH, in order. */
export function pathDirectories({ env }: ToolEnvironment): string[] {
  const directories = (env.PATH ?? env.Path ?? '').split(delimiter)
  return [...new Set(directories.filter((directory) => isAbsolute(directory)))]
}

/**
 * What exists under `root` and matches the patterns, which are relative to it, in the order of the patterns.
 * glob does not walk through links, which Homebrew's folders are, so it does no more than the wildcards.
 */
export async function matching(root: string, patterns: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const pattern of patterns) {
    const parts = pattern.split('/')
    const fixed = parts.splice(parts.findLastIndex((part) => part.includes('*')) + 1)
    const folders = parts.length > 0 ? glob(parts.join('/'), { cwd: root }) : ['']
    for await (const folder of folders) found.push(join(root, folder, ...fixed))
  }
  return found.filter((path) => existsSync(path))
}

/** Whether there is a file (or a link to one). */
export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  )
}

/** A program's file name on a platform. */
export function programName(name: string, platform: NodeJS.Platform): string {
  return platform === 'win32' ? `${name}.exe` : name
}
