import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { expandHome, parsePath } from '../process/user-path.ts'

/** Removes quotes around a whole line, and backslashes before spaces, which a shell would remove. */
function unquote(line: string): string {
  const inner = /^(["'])(.*)\1$/.exec(line)?.[2]
  return inner ?? (process.platform === 'win32' ? line : line.replaceAll('\\ ', ' '))
}

/** Returns the path that a line of `verify-sql` names, or null if the line is a statement. */
export function sqlPath(line: string, workspace: string): string | null {
  const name = unquote(line)
  return /\.sql$/i.test(name) ? resolve(workspace, expandHome(name)) : null
}

/** Returns the path of the SQL file that a hook is, or null if the hook is a shell command. */
export function sqlFile(hook: string, workspace: string): string | null {
  const path = sqlPath(hook, workspace)
  // `psql --file=x.sql` is a command, and `my hooks/x.sql` is a file.
  return path === null || !/\s/.test(unquote(hook)) || existsSync(path) ? path : null
}

/** Reads lines that may be SQL files. @throws an Error that completes the sentence "<input> …" */
export function checkSqlFiles(lines: string[]): string[] {
  for (const name of lines.map(unquote)) if (/^\S+\.sql$/i.test(name)) parsePath(name)
  return lines
}
