import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { findProgram, pathFolders } from '../../process/find-program.ts'
import type { ToolEnvironment } from '../options.ts'
import { askVersion } from '../program-version.ts'
import { programsInToolDirectories } from '../tool-directory.ts'
import { AWS_PROGRAMS } from './aws-bundle.ts'
import { versionOfFiles } from './aws-files.ts'
import { type AwsCli, awsOfVersion, chooseAws, parseAwsVersion } from './aws-version.ts'

/** Where official installers put the program. Relative to the root of the file system. */
const INSTALL_FOLDERS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['usr/local/bin', 'usr/local/aws-cli/v2/current/bin'],
  darwin: ['usr/local/bin', 'opt/homebrew/bin', 'usr/local/aws-cli'],
  win32: ['Program Files/Amazon/AWSCLIV2'],
}

/** The first start of a frozen Python program from a cold disk is slow. */
const VERSION_TIMEOUT_SECONDS = 60

/** Returns every AWS CLI that works, those of PATH first. */
export async function findAwsClis(environment: ToolEnvironment): Promise<AwsCli[]> {
  const programs = await findAwsPrograms(environment)
  const clis = await Promise.all(programs.map((path) => inspectAws(path, environment)))
  return clis.filter((cli) => cli !== null)
}

/**
 * Returns the program that will probably be provided, before all have said their versions: the best of those whose files say
 * it, or the only one of this machine.
 */
export async function likelyAws(environment: ToolEnvironment): Promise<string | null> {
  const programs = await findAwsPrograms(environment)
  const versions = await Promise.all(programs.map((path) => versionOfFiles(path, environment)))
  const known = programs.flatMap((path, index) => {
    const version = versions[index]
    return version ? [awsOfVersion(path, version)] : []
  })
  return chooseAws(known)?.path ?? (programs.length === 1 ? programs[0]! : null)
}

/** Returns every program that may be an AWS CLI, those of PATH first. */
async function findAwsPrograms(environment: ToolEnvironment): Promise<string[]> {
  const { platform, root, env, arch } = environment
  const installed = (INSTALL_FOLDERS[platform] ?? []).map((folder) => join(root, folder))
  const unpacked = (AWS_PROGRAMS[platform] ?? []).map((program) => `aws-cli/*/${arch}/${program}`)
  const [found, downloaded] = await Promise.all([
    Promise.all([...pathFolders(env), ...installed].map((folder) => findProgram(folder, 'aws'))),
    programsInToolDirectories(environment, unpacked),
  ])
  return distinct([...found.filter((path) => path !== null), ...downloaded])
}

/** Keeps each file once: `/bin` is often a link to `/usr/bin`, and each start of the CLI takes most of a second. */
async function distinct(paths: readonly string[]): Promise<string[]> {
  const byFile = new Map<string, string>()
  for (const path of paths) {
    const file = await realpath(path).catch(() => null)
    if (file !== null && !byFile.has(file)) byFile.set(file, path)
  }
  return [...byFile.values()]
}

/**
 * Returns a program's version, or null when it does not work (a glibc build on musl, a script without its Python). Where the
 * files beside it do not say the version, the program is started for it, which takes most of a second.
 */
export async function inspectAws(path: string, environment: ToolEnvironment): Promise<AwsCli | null> {
  const known = await versionOfFiles(path, environment)
  if (known) return awsOfVersion(path, known)
  const answer = await askVersion(path, VERSION_TIMEOUT_SECONDS, environment)
  return answer === null ? null : parseAwsVersion(path, answer)
}
