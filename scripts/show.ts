/** Shows a run of the Action in a terminal as GitHub shows it on a page. */
import { stripVTControlCharacters, styleText } from 'node:util'
import type { ActionRun } from '../lab/runner/action.ts'
import { parseCommands } from '../lab/runner/runner-commands.ts'

export const green = (text: string): string => styleText('green', text)
export const red = (text: string): string => styleText('red', text)

export function title(text: string): void {
  console.log(`\n${styleText('bold', text)}`)
}

export function say(text: string): void {
  console.log(`  ${text}`)
}

/** Shows lines of a log as they come: secrets are hidden, commands become plain text, debug lines are left out. */
export function logView(): (line: string) => void {
  const masks: string[] = []
  return (line) => {
    const [command] = parseCommands(line)
    if (command?.name === 'add-mask') masks.push(command.data)
    const text = plain(command?.name, command?.data, line)
    if (text === null) return
    const hidden = masks.reduce((shown, mask) => shown.replaceAll(mask, '***'), text)
    say(styleText('dim', `│ ${stripVTControlCharacters(hidden)}`))
  }
}

function plain(name: string | undefined, data: string | undefined, line: string): string | null {
  if (name === undefined) return line
  if (name === 'group') return `▸ ${data}`
  return ['error', 'warning', 'notice'].includes(name) ? `${name}: ${data}` : null
}

/** Shows what a run left behind, and how it ended. */
export function showRun(run: ActionRun): void {
  const outputs = Object.entries(run.outputs).map(([name, value]) => `${name}: ${shorten(value)}`)
  block('outputs', outputs)
  block('job summary', run.summary.trim().split('\n'))
  if (run.exitCode === 0) say(green(`✓ ended with 0 after ${(run.durationMs / 1000).toFixed(1)} s`))
  else say(red(`✗ ended with ${run.exitCode ?? run.signal}`))
}

function block(name: string, lines: string[]): void {
  if (lines.length === 0 || lines[0] === '') return
  say(`${name}:`)
  for (const line of lines) say(`  ${line}`)
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
