import { stat } from 'node:fs/promises'
import { runCommand } from './command.ts'
import type { ToolEnvironment } from './options.ts'

/** Answers by file and its last change. Failures are not cached: the program may be installed or repaired later in the step. */
const answers = new Map<string, string>()

/**
 * Returns what a program prints about its version, or null when it does not work. A step looks for programs several times,
 * but starts each one only once.
 */
export async function askVersion(
  program: string,
  timeoutSeconds: number,
  environment: ToolEnvironment,
): Promise<string | null> {
  const file = await stat(program, { bigint: true }).catch(() => null)
  if (!file?.isFile()) return null
  const identity = `${program} ${file.ino} ${file.ctimeNs}`
  const known = answers.get(identity)
  if (known !== undefined) return known
  const result = await runCommand({ file: program, args: ['--version'], timeoutSeconds }, { environment })
  if (!result.ok) return null
  answers.set(identity, result.stdout)
  return result.stdout
}
