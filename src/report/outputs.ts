import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as core from '@actions/core'
import { messageOf } from '../errors.ts'
import { cutOutput, fits } from './fit-output.ts'
import { formatBytes } from './format.ts'
import { log } from './log.ts'

/** A value with a shorter form, for when the whole is more than a later step can take. */
export type Shortenable = { whole: string; shorter: string }

/** Outputs of the step by their names. */
export type Outputs = Readonly<Record<string, string | number | Shortenable>>

/** Outputs that a later step can take. */
export type FittingOutputs = Readonly<Record<string, string | number>>

/**
 * Cuts outputs to what a later step can take, with a warning for each. A file in `folder` then has them whole; its path is
 * the output `outputs-file`.
 */
export async function fitOutputs(outputs: Outputs, folder: string): Promise<FittingOutputs> {
  const whole = Object.entries(outputs).map(([name, value]) => [name, wholeOf(value)] as const)
  const tooLong = whole.filter(([, value]) => !fits(String(value)))
  if (tooLong.length === 0) return Object.fromEntries(whole)
  const file = await writeWhole(Object.fromEntries(tooLong), folder)
  const fitting = whole.map(([name, value]) => {
    if (fits(String(value))) return [name, value] as const
    const cut = cutOutput(shortestOf(outputs[name]!))
    const bytes = formatBytes(Buffer.byteLength(String(value)))
    const where = file ? '; the file that the output outputs-file names has it whole' : ''
    log.warning(
      `The output ${name} would have ${bytes}, more than a later step can take, and was cut to ${describe(cut)}${where}`,
    )
    return [name, cut] as const
  })
  return { ...Object.fromEntries(fitting), ...(file ? { 'outputs-file': file } : {}) }
}

function wholeOf(value: Outputs[string]): string | number {
  return typeof value === 'object' ? value.whole : value
}

function shortestOf(value: Outputs[string]): string {
  return typeof value === 'object' ? value.shorter : String(value)
}

/** `12 elements`, or the size of what has none. */
function describe(cut: string): string {
  return cut.startsWith('[') ? `${JSON.parse(cut).length} elements` : formatBytes(Buffer.byteLength(cut))
}

/** @returns the path of the file, or null if it cannot be written */
async function writeWhole(outputs: FittingOutputs, folder: string): Promise<string | null> {
  const file = join(folder, `pgclone-outputs-${randomUUID()}.json`)
  const members = Object.entries(outputs).map(([name, value]) => [name, parsed(String(value))])
  try {
    await writeFile(file, JSON.stringify(Object.fromEntries(members)), { mode: 0o600 })
    return file
  } catch (error) {
    log.warning(`The outputs that are too long could not be written to ${folder}: ${messageOf(error)}`)
    return null
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Sets outputs. Called as the very last thing, so that a step that fails has none that a later step takes for success. */
export function setOutputs(outputs: FittingOutputs): void {
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value)
}
