import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files in which a step hands values to the runner. */
export interface FileCommands {
  output: string
  state: string
  env: string
  path: string
  summary: string
}

/** Creates them empty, where and as the runner does. */
export function createFileCommands(runnerTemp: string): FileCommands {
  const folder = join(runnerTemp, '_runner_file_commands')
  mkdirSync(folder, { recursive: true })
  const create = (prefix: string) => {
    const path = join(folder, `${prefix}_${randomUUID()}`)
    writeFileSync(path, '')
    return path
  }
  return {
    output: create('set_output'),
    state: create('save_state'),
    env: create('set_env'),
    path: create('add_path'),
    summary: create('step_summary'),
  }
}

/** Reads `name=value` lines and `name<<delimiter` blocks, as strict as the runner is. */
export function parseFileCommand(path: string): Record<string, string> {
  const values: Record<string, string> = {}
  const lines = readFileSync(path, 'utf8').split('\n')
  while (lines.length > 0) {
    const line = lines.shift()!
    if (line === '') continue
    const [, name, operator, rest] = /^(.*?)(=|<<)(.*)$/s.exec(line) ?? []
    if (!name || (operator === '<<' && !rest)) throw new Error(`Invalid format '${line}'`)
    if (operator === '=') {
      values[name] = rest!
      continue
    }
    const end = lines.indexOf(rest!)
    if (end < 0) throw new Error(`Matching delimiter not found '${rest}'`)
    values[name] = lines
      .splice(0, end + 1)
      .slice(0, -1)
      .join('\n')
  }
  return values
}
