import { existsSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Returns what exists under `root` and matches the patterns, which are relative to it, in the order of the patterns.
 * glob does not follow links, which Homebrew's folders are, so it resolves the wildcards only.
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
