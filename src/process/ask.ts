import { getExecOutput } from '@actions/exec'
import { findOnPath } from './find-program.ts'

export type Answer = { exitCode: number; stdout: string; stderr: string }

/**
 * Asks a program a short question and returns its answer, however it ended. `@actions/exec` can neither cancel a program nor
 * limit its time, so this is only for programs that answer at once; everything else goes through `run`.
 *
 * @param env all that the program sees; it is found on the PATH in it
 * @throws an Error when there is no such program
 */
export async function ask(
  file: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<Answer> {
  const program = await findOnPath(file, env)
  if (program === null) throw new Error(`${file} is not on PATH`)
  // The first argument of getExecOutput is a command line, in which a path with spaces must be quoted.
  return getExecOutput(`"${program}"`, [...args], { env, silent: true, ignoreReturnCode: true })
}
