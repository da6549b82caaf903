import { messageOf } from '../../errors.ts'
import { type Installation, oneAtATime, tryInOrder } from '../install.ts'
import type { ToolOptions } from '../options.ts'
import { readSystem } from '../system.ts'
import { type AwsRelease, awsPackageAttempts, installAwsBundle } from './aws-install.ts'
import { findAwsClis } from './aws-search.ts'
import { type AwsCli, chooseAws } from './aws-version.ts'

export type { AwsRelease } from './aws-install.ts'
export { type AwsCli, awsWarnings } from './aws-version.ts'

export type AwsOptions = ToolOptions & {
  /** What to install when no AWS CLI works. */
  release: AwsRelease
}

const BY_HAND =
  'Install AWS CLI 2 before this step (https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html)'

/** Returns the best AWS CLI of this machine, and logs which one it is; installs one when none works. */
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
  const system = await readSystem(options.environment)
  // The bundles are built for glibc; Alpine's package is built for musl.
  const official: Installation<AwsCli> =
    system.packageManager === 'apk' ? { failures: [] } : await installOfficial(options)
  if ('found' in official) return official.found
  const attempts = awsPackageAttempts(system.packageManager)
  const packaged = await oneAtATime(() => tryInOrder(attempts, options, find))
  if ('found' in packaged) return packaged.found
  const failures = [...official.failures, ...packaged.failures]
  throw new Error(`${missing} Installing it on ${system.name} failed: ${failures.join('; ')}. ${BY_HAND}.`)
}

async function installOfficial(options: AwsOptions): Promise<Installation<AwsCli>> {
  const { release, log, signal, warn } = options
  log(`Installing the official AWS CLI ${release.version} …`)
  try {
    return { found: await installAwsBundle(release, options) }
  } catch (error) {
    signal?.throwIfAborted()
    const failure = `official bundle ${release.version}: ${messageOf(error)}`
    warn(`${failure}. Trying the system's package manager instead.`)
    return { failures: [failure] }
  }
}
