import type { ToolEnvironment } from '../options.ts'

/** What AWS publishes for a platform. */
export type AwsBundle = {
  /** Its address at AWS; a mirror has it below its own address. */
  url: string
  kind: 'zip' | 'pkg' | 'msi'
}

/** Where the program is in an unpacked bundle. On Windows the name of the Program Files folder varies. */
export const AWS_PROGRAMS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['aws/dist/aws'],
  darwin: ['aws-cli.pkg/Payload/aws-cli/aws'],
  win32: ['Amazon/AWSCLIV2/aws.exe', '*/Amazon/AWSCLIV2/aws.exe'],
}

const OFFICIAL = 'https://awscli.amazonaws.com'
const LINUX_ARCHITECTURES: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' }

/**
 * The official bundle of a version
 * (https://docs.aws.amazon.com/cli/latest/userguide/getting-started-version.html).
 *
 * @throws when there is no bundle for the platform.
 */
export function awsBundle(
  version: string,
  { platform, arch }: Pick<ToolEnvironment, 'platform' | 'arch'>,
): AwsBundle {
  if (platform === 'darwin') return { kind: 'pkg', url: `${OFFICIAL}/AWSCLIV2-${version}.pkg` }
  // Windows on ARM runs programs for x64.
  if (platform === 'win32') return { kind: 'msi', url: `${OFFICIAL}/AWSCLIV2-${version}.msi` }
  const linux = platform === 'linux' && LINUX_ARCHITECTURES[arch]
  if (!linux) throw new Error(`AWS publishes no AWS CLI bundle for ${platform} on ${arch}`)
  return { kind: 'zip', url: `${OFFICIAL}/awscli-exe-linux-${linux}-${version}.zip` }
}
