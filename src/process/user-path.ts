import { homedir } from 'node:os'
import { join } from 'node:path'

/** Returns a path with `~` replaced by the home folder, as in a shell. */
export function expandHome(path: string): string {
  return /^~(?:$|[/\\])/.test(path) ? join(homedir(), path.slice(1)) : path
}

/**
 * Reads the path of an input. The runner passes inputs on as they are, so a name that only a shell replaces would become
 * the name of a folder.
 *
 * @throws an Error that completes the sentence "<input> …"
 */
export function parsePath(text: string): string {
  const replaced = /^(?:~[^/\\]+|\$\w+|\$\{\w+\}|%\w+%)/.exec(text)?.[0]
  if (replaced !== undefined)
    throw new Error(
      `begins with ${JSON.stringify(replaced)}, which only a shell replaces; write a path in the workspace, an absolute path, or ~/ for the home folder`,
    )
  return expandHome(text)
}

/** Returns why a file of the workspace cannot be read: the end of a sentence that begins with "it". */
export function whyUnreadable(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'does not exist; did a step check the repository out?' : `is ${code}`
}
