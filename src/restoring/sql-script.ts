import { homedir } from 'node:os'
import { dirname, isAbsolute, resolve } from 'node:path'

/** A file that a script reads: another script, or data (`\copy`, `\lo_import`). */
export type Read = { path: string; isScript: boolean }

/** A backslash command, before the rest of its line. psql ends its name at white space or at another backslash. */
const COMMAND = /\\(!|[a-z_]+(?=[\s\\|]|$))(?=([^\n]*))/g

/** Commands that run a program, read the environment, or change the folder of every later file. */
const UNKNOWN_EFFECT = ['!', 'cd', 'getenv']

/** Commands whose argument may be `| program`. */
const MAY_PIPE = ['g', 'gx', 'o', 'out', 'w', 'write']

/** Of a line that is shown. */
const MAX_SHOWN_LENGTH = 100

const SCRIPTS = ['i', 'include', 'ir', 'include_relative']

/**
 * Finds the files that a script for psql reads. What looks like a command in a comment or a text counts as one, which at
 * worst makes a template too many.
 *
 * @returns the line as `unknown` whose files only psql knows: they depend on a variable, a program, or mixed quotes
 */
export function filesReadBy(
  text: string,
  { path, workspace }: { path: string; workspace: string },
): { reads: Read[] } | { unknown: string } {
  const reads: Read[] = []
  for (const [, name = '', rest = ''] of text.replaceAll('\r', '').matchAll(COMMAND)) {
    const unknown = `\\${name}${rest}`.trim().slice(0, MAX_SHOWN_LENGTH)
    const isProgram = rest.includes('`') || (MAY_PIPE.includes(name) && /^\s*\|/.test(rest))
    if (isProgram || UNKNOWN_EFFECT.includes(name)) return { unknown }
    const names = name === 'copy' ? copySources(rest) : fileNames(name, rest)
    if (names === null) return { unknown }
    const folder = ['ir', 'include_relative'].includes(name) ? dirname(path) : workspace
    reads.push(...names.map((file) => ({ path: locate(file, folder), isScript: SCRIPTS.includes(name) })))
  }
  return { reads }
}

function locate(name: string, folder: string): string {
  const home = /^~(?=\/|$)/
  return isAbsolute(name)
    ? name
    : resolve(
        folder,
        name.replace(home, () => homedir()),
      )
}

/** Returns the file that a command names, none if it reads none, and null if its name is not known. */
function fileNames(command: string, rest: string): string[] | null {
  if (!SCRIPTS.includes(command) && command !== 'lo_import') return []
  const name = argument(rest)
  // A dash is the standard input, which hooks do not have.
  return name === '' || name === '-' ? [] : name === null ? null : [name]
}

/** Reads the first argument of a command (psqlscanslash.l): quoted whole, or up to white space. */
function argument(rest: string): string | null {
  const quoted = /^\s*'((?:[^'\\]|'')*)'(?=[\s;\\]|$)/.exec(rest)
  if (quoted) return quoted[1]!.replaceAll("''", "'")
  const plain = /^\s*([^\s\\]*)/.exec(rest)![1]!.replace(/;+$/, '')
  return /['":`]/.test(plain) || /^~[^/]/.test(plain) ? null : plain
}

/** Returns the files after every FROM of a `\copy`, which may also stand in its query; null for a program. */
function copySources(rest: string): string[] | null {
  const sources = [...rest.matchAll(/\bfrom\s+('(?:[^']|'')*'|[^\s;]+)/gi)].map(([, source = '']) => source)
  if (sources.some((source) => /^program$/i.test(source))) return null
  return sources
    .filter((source) => !/^p?stdin$/i.test(source))
    .map((source) => source.replace(/^'(.*)'$/, '$1').replaceAll("''", "'"))
}
