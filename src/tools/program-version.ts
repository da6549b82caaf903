import { stat } from 'node:fs/promises'
import { runCommand } from './command.ts'
import type { ToolEnvironment } from './options.ts'

/** By file as it is now: an installation may replace one. Only answers, because what does not work may be mended. */
const answers = new Map<string, string>()

/**
 * What a program prints about its version, or null when it does not work. A step looks for programs several times, and
 * asks each one only once.
 */
export async function askVersion(
  program: string,
  timeoutSeconds: number,
  environment: ToolEnvironment,
): Promise<string | null> {
  const { ino, ctimeNs } = await stat(program, { bigint: true })
  const identity = `${program} ${ino} ${ctimeNs}`
  const known = answers.get(identity)
  if (known !== undefined) return known
  const result = await runCommand({ file: program, args: ['--version'], timeoutSeconds }, { environment })
  if (!result.ok) return null
  answers.set(identity, result.stdout)
  return result.stdout
}
