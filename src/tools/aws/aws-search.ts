import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { ToolEnvironment } from '../options.ts'
import { askVersion } from '../program-version.ts'
import { isFile, matching, pathDirectories, programName } from '../search-path.ts'
import { toolDirectories } from '../tool-directory.ts'
import { AWS_PROGRAMS } from './aws-bundle.ts'
import { type AwsCli, parseAwsVersion } from './aws-version.ts'

/** Where official installers put it. Relative to the root of the file system. */
const PLACES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['usr/local/bin', 'usr/local/aws-cli/v2/current/bin'],
  darwin: ['usr/local/bin', 'opt/homebrew/bin', 'usr/local/aws-cli'],
  win32: ['Program Files/Amazon/AWSCLIV2'],
}

/** Every AWS CLI that works, PATH first. */
export async function findAwsClis(environment: ToolEnvironment): Promise<AwsCli[]> {
  const { platform, root } = environment
  const name = programName('aws', platform)
  const places = (PLACES[platform] ?? []).map((place) => join(root, place))
  const unpacked = (AWS_PROGRAMS[platform] ?? []).map((program) => `aws-cli/*/${environment.arch}/${program}`)
  const candidates = [
    ...[...pathDirectories(environment), ...places].map((directory) => join(directory, name)),
    ...(
      await Promise.all(toolDirectories(environment).map((directory) => matching(directory, unpacked)))
    ).flat(),
  ]
  const clis = await Promise.all((await distinct(candidates)).map((path) => inspectAws(path, environment)))
  return clis.filter((cli) => cli !== null)
}

/** Each file once: `/bin` is often a link to `/usr/bin`, and every start of the CLI takes most of a second. */
async function distinct(paths: readonly string[]): Promise<string[]> {
  const byFile = new Map<string, string>()
  for (const path of paths) {
    const file = await realpath(path).catch(() => null)
    if (file !== null && !byFile.has(file)) byFile.set(file, path)
  }
  return [...byFile.values()]
}

/** Asks a program for its version. A glibc build on musl, a script without its Python, anything broken: null. */
export async function inspectAws(path: string, environment: ToolEnvironment): Promise<AwsCli | null> {
  if (!(await isFile(path))) return null
  // The first start of a frozen Python program on a cold disk takes its time.
  const answer = await askVersion(path, 60, environment)
  return answer === null ? null : parseAwsVersion(path, answer)
}
