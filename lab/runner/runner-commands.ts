import { lineEnd } from '../lines.ts'

/** A workflow command that the runner obeyed. */
export interface WorkflowCommand {
  name: string
  properties: Record<string, string>
  data: string
  /** The line of the log it came from. */
  line: string
}

// Unknown names are ordinary log lines to the runner.
const registered = [
  'add-mask',
  'add-matcher',
  'add-path',
  'debug',
  'echo',
  'endgroup',
  'error',
  'group',
  'notice',
].concat(['remove-matcher', 'save-state', 'set-env', 'set-output', 'stop-commands', 'warning'])

/**
 * Finds the workflow commands in a log with the grammar of the runner (`ActionCommand.cs`): `::name props::data` at
 * the start of a line, after white space, or the old `##[name props]data` anywhere in it. `stop-commands` is obeyed.
 */
export function parseCommands(log: string): WorkflowCommand[] {
  const commands: WorkflowCommand[] = []
  let resumeToken: string | undefined
  for (const line of log.split(lineEnd)) {
    const known = resumeToken === undefined ? registered : [...registered, resumeToken]
    const command = parseNew(line, known) ?? parseOld(line, known)
    if (!command) continue
    if (resumeToken !== undefined) {
      if (command.name === resumeToken) resumeToken = undefined
      continue
    }
    if (command.name === 'stop-commands') resumeToken = command.data.toLowerCase()
    commands.push(command)
  }
  return commands
}

function parseNew(line: string, known: readonly string[]): WorkflowCommand | undefined {
  const message = line.trimStart()
  const middle = message.indexOf('::', 2)
  if (!message.startsWith('::') || middle < 0) return undefined
  const { name, rest } = splitInfo(message.slice(2, middle))
  if (!known.includes(name)) return undefined
  const properties = parseProperties(rest.trim(), ',', { '%0D': '\r', '%0A': '\n', '%3A': ':', '%2C': ',' })
  return { name, properties, data: decode(message.slice(middle + 2), { '%0D': '\r', '%0A': '\n' }), line }
}

function parseOld(line: string, known: readonly string[]): WorkflowCommand | undefined {
  const start = line.indexOf('##[')
  const middle = line.indexOf(']', start)
  if (start < 0 || middle < 0) return undefined
  const { name, rest } = splitInfo(line.slice(start + 3, middle))
  if (!known.includes(name)) return undefined
  const escapes = { '%3B': ';', '%0D': '\r', '%0A': '\n', '%5D': ']' }
  return {
    name,
    properties: parseProperties(rest, ';', escapes),
    data: decode(line.slice(middle + 1), escapes),
    line,
  }
}

function splitInfo(info: string): { name: string; rest: string } {
  const [name = '', ...rest] = info.split(' ')
  return { name: name.toLowerCase(), rest: rest.join(' ') }
}

function parseProperties(
  text: string,
  separator: string,
  escapes: Record<string, string>,
): Record<string, string> {
  const pairs = text.split(separator).flatMap((pair) => {
    const [, key, value] = /^=*([^=]+)=+(.+)$/s.exec(pair) ?? []
    return key && value ? [[key, decode(value, escapes)]] : []
  })
  return Object.fromEntries(pairs)
}

/** The percent sign is decoded last, as the runner does it. */
function decode(text: string, escapes: Record<string, string>): string {
  const decoded = Object.entries(escapes).reduce(
    (result, [code, token]) => result.replaceAll(code, token),
    text,
  )
  return decoded.replaceAll('%25', '%')
}
