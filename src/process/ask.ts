import { getExecOutput } from '@actions/exec'
import { findOnPath } from './find-program.ts'

export type Answer = { exitCode: number; stdout: string; stderr: string }

/**
 * Runs a program that answers at once, and returns its answer even if it failed. `@actions/exec` can neither cancel a
 * program nor limit its time, so everything else goes through `run`.
 *
 * @param env the whole environment of the program, which is found on the PATH in it
 * @throws an Error if the program is not on PATH
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
