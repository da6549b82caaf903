import { join, relative } from 'node:path'
import { type Command, runCommand } from '../command.ts'
import { download } from '../download.ts'
import type { Attempt } from '../install.ts'
import { matching } from '../matching.ts'
import type { ToolEnvironment, ToolOptions } from '../options.ts'
import { packageAttempts } from '../packages.ts'
import type { PackageManager } from '../system.ts'
import { moveIntoPlace, withStaging } from '../tool-directory.ts'
import { isTrusted } from '../trusted-folder.ts'
import { unzip } from '../zip.ts'
import { AWS_PROGRAMS, type AwsBundle, awsBundle } from './aws-bundle.ts'
import { inspectAws } from './aws-search.ts'
import { assertGenuine, assertRunsOn } from './aws-verify.ts'
import type { AwsCli } from './aws-version.ts'

/** The package of each package manager, for musl and for machines that cannot reach AWS's download server. */
const PACKAGES: Record<PackageManager, readonly string[]> = {
  apt: ['awscli'],
  apk: ['aws-cli'],
  dnf: ['awscli2', 'awscli-2', 'awscli'],
  brew: ['awscli'],
  none: [],
}

/** Commands that install the AWS CLI with a package manager, in the order of preference. */
export function awsPackageAttempts(manager: PackageManager): Attempt[] {
  return PACKAGES[manager].flatMap((name) => packageAttempts(manager, name))
}

/** How the platform unpacks an installer package without installing it, which needs neither the registry nor root. */
export function unpackCommand(kind: 'pkg' | 'msi', file: string, folder: string): Command {
  return kind === 'pkg'
    ? { file: 'pkgutil', args: ['--expand-full', file, folder], timeoutSeconds: 300 }
    : { file: 'msiexec', args: ['/a', file, '/qn', `TARGETDIR=${folder}`], timeoutSeconds: 300 }
}

/** An installer package may hold files that a group can write, and nobody else may change programs. */
function protectCommand(folder: string): Command {
  return { file: '/bin/chmod', args: ['-R', 'go-w', folder] }
}

/** What to install: the input `aws-cli-version`. */
export type AwsRelease = {
  /** As in `2.38.1`. */
  version: string
  /** Hex SHA-256 of the bundle for this platform, or null when the user did not pin it. */
  sha256: string | null
}

/**
 * Downloads, checks and unpacks the official bundle, and moves it into the tool directory once it has answered
 * `--version`. Its installer is not used, because it only copies the folder and links the program.
 */
export async function installAwsBundle(release: AwsRelease, options: ToolOptions): Promise<AwsCli> {
  const { environment, log } = options
  const bundle = awsBundle(release.version, environment)
  return withStaging(environment, async (folder, directory) => {
    const file = join(folder, `bundle.${bundle.kind}`)
    await download(bundle.url, file, options)
    const proof = await assertGenuine(bundle, file, { sha256: release.sha256, folder }, options)
    log(`The AWS CLI ${release.version} is genuine by ${proof}`)
    const unpacked = join(folder, 'unpacked')
    const program = await unpack(bundle, file, unpacked, options)
    await inspectRelease(program, release, environment)
    const home = join(directory, 'aws-cli', release.version, environment.arch)
    const installed = join(home, relative(unpacked, program))
    // Another job on this runner may have installed it meanwhile, and may be running it.
    const theirs = (await isTrusted(directory, installed)) && (await inspectAws(installed, environment))
    if (theirs) return theirs
    await moveIntoPlace(unpacked, home)
    if (!(await isTrusted(directory, installed))) throw new Error(`another user can change ${home}`)
    return inspectRelease(installed, release, environment)
  })
}

/** @throws when the program does not run, or is of another version: old versions are signed too. */
async function inspectRelease(
  program: string,
  { version }: AwsRelease,
  environment: ToolEnvironment,
): Promise<AwsCli> {
  const cli = await inspectAws(program, environment)
  if (!cli) throw new Error('it does not run on this system')
  if (cli.version !== version) throw new Error(`it is version ${cli.version}`)
  return cli
}

async function unpack(
  { kind }: AwsBundle,
  file: string,
  folder: string,
  options: ToolOptions,
): Promise<string> {
  if (kind === 'zip') await unzip(file, folder)
  else {
    const result = await runCommand(unpackCommand(kind, file, folder), options)
    if (!result.ok) throw new Error(`it could not be unpacked: ${result.reason}`)
    if (kind === 'pkg') await runCommand(protectCommand(folder), options)
  }
  const { platform, arch } = options.environment
  const [program] = await matching(folder, AWS_PROGRAMS[platform] ?? [])
  if (!program) throw new Error('the bundle does not contain the aws program')
  if (kind === 'zip') await assertRunsOn(arch, program)
  return program
}
