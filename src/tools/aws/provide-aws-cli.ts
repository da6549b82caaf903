import { oneAtATime, tryInOrder } from '../install.ts'
import type { ToolOptions } from '../options.ts'
import { readSystem } from '../system.ts'
import { type AwsRelease, awsPackageAttempts, installAwsBundle } from './aws-install.ts'
import { findAwsClis } from './aws-search.ts'
import { type AwsCli, chooseAws } from './aws-version.ts'

export type { AwsRelease } from './aws-install.ts'
export { type AwsCli, awsWarnings } from './aws-version.ts'

export type AwsOptions = ToolOptions & {
  /** What to install when there is none. */
  release: AwsRelease
}

const BY_HAND =
  'Install AWS CLI 2 before this step (https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html)'

/** The best AWS CLI at hand; installs one when there is none that works. Logs which one it is. */
export async function provideAwsCli(options: AwsOptions): Promise<AwsCli> {
  const find = async () => chooseAws(await findAwsClis(options.environment))
  const cli = (await find()) ?? (await install(options, find))
  options.log(`AWS CLI ${cli.version} (${cli.path})`)
  return cli
}

async function install(options: AwsOptions, find: () => Promise<AwsCli | undefined>): Promise<AwsCli> {
  const missing = 'The AWS CLI is missing: no `aws` of version 2, or 1.29 and newer, works on this machine.'
  if (options.installTools === 'never') {
    throw new Error(`${missing} install-tools is never. ${BY_HAND}, or set install-tools to auto.`)
  }
  const failures: string[] = []
  const system = await readSystem(options.environment)
  const cli =
    // The bundles are built for glibc; Alpine's package is built for musl.
    (system.packageManager === 'apk' ? undefined : await installOfficial(options, failures)) ??
    (await oneAtATime(() => tryInOrder(awsPackageAttempts(system.packageManager), options, find, failures)))
  if (cli) return cli
  throw new Error(`${missing} Installing it on ${system.name} failed: ${failures.join('; ')}. ${BY_HAND}.`)
}

async function installOfficial(options: AwsOptions, failures: string[]): Promise<AwsCli | undefined> {
  const { release, log, signal, warn } = options
  log(`Installing the official AWS CLI ${release.version} …`)
  try {
    return await installAwsBundle(release, options)
  } catch (error) {
    signal?.throwIfAborted()
    failures.push(`official bundle ${release.version}: ${(error as Error).message}`)
    warn(`${failures.at(-1)}. Trying the system's package manager instead.`)
    return undefined
  }
}
