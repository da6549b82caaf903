import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { onLine } from '../lines.ts'
import { parseCommands } from './runner-commands.ts'

/** Each stream is cut into lines for itself, then they are put into one log, as the runner does. */
export function collectLog(child: ChildProcess, listener: ((line: string) => void) | undefined) {
  const lines: string[] = []
  const listeners = new Set(listener ? [listener] : [])
  const add = (line: string) => {
    lines.push(line)
    for (const listener of [...listeners]) listener(line)
  }
  onLine(child.stdout!, add)
  onLine(child.stderr!, add)
  const ended = once(child, 'exit').then(() => drained(child))
  const waitFor = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((found, fail) => {
      const look = (line: string) => {
        const match = pattern.exec(line)
        if (match) found(match)
      }
      for (const line of lines) look(line)
      listeners.add(look)
      ended.then(() => fail(new Error(`The run ended without ${pattern}:\n${lines.join('\n')}`)))
    })
  return { lines, waitFor, ended }
}

/** Waits for the rest of the log, but not for long: a child that outlives the Action holds the pipes open. */
async function drained(child: ChildProcess): Promise<void> {
  const closed = child.stdout!.readableEnded && child.stderr!.readableEnded
  const signal = AbortSignal.timeout(2_000)
  if (!closed) await once(child, 'close', { signal }).catch(() => {})
}

/** What the runner reads from the log. */
export function readLog(lines: readonly string[]) {
  const log = lines.join('\n')
  const commands = parseCommands(log)
  const data = (name: string) => commands.filter((one) => one.name === name).map((one) => one.data)
  const maskLines = new Set(commands.filter((one) => one.name === 'add-mask').map((one) => one.line))
  return {
    log,
    visibleLog: lines.filter((line) => !maskLines.has(line)).join('\n'),
    commands,
    masks: data('add-mask'),
    errors: data('error'),
    warnings: data('warning'),
    notices: data('notice'),
  }
}
