import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { findProgram, pathFolders } from '../../process/find-program.ts'
import type { ToolEnvironment } from '../options.ts'
import { askVersion } from '../program-version.ts'
import { programsInToolDirectories } from '../tool-directory.ts'
import { AWS_PROGRAMS } from './aws-bundle.ts'
import { type AwsCli, awsOfVersion, parseAwsVersion } from './aws-version.ts'

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

/** Returns every program that may be an AWS CLI, those of PATH first. */
export async function findAwsPrograms(environment: ToolEnvironment): Promise<string[]> {
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

/** Where the official installer of Linux puts the program (https://github.com/aws/aws-cli/blob/v2/exe/assets/install). */
const OFFICIAL_PROGRAM = /\/aws-cli\/v2\/(\d+\.\d+\.\d+)\/dist\/aws$/

/**
 * Returns a program's version, or null when it does not work (a glibc build on musl, a script without its Python). The
 * official installation has it in its path; others are started for it, which takes most of a second.
 */
export async function inspectAws(path: string, environment: ToolEnvironment): Promise<AwsCli | null> {
  const official = await officialVersion(path, environment)
  if (official) return awsOfVersion(path, official)
  const answer = await askVersion(path, VERSION_TIMEOUT_SECONDS, environment)
  return answer === null ? null : parseAwsVersion(path, answer)
}

/** Returns the version of an official installation. On Alpine it is installed and does not work, because it needs glibc. */
async function officialVersion(path: string, { root }: ToolEnvironment): Promise<string | undefined> {
  if (existsSync(join(root, 'etc/alpine-release'))) return undefined
  return OFFICIAL_PROGRAM.exec(await realpath(path).catch(() => ''))?.[1]
}
