import { fileUrl } from './download.ts'
import type { ToolEnvironment } from './options.ts'

/** What AWS publishes for a platform, and how to check it and take it apart without root and without its installer. */
export type AwsBundle = {
  url: string
  kind: 'zip' | 'pkg' | 'msi'
}

/** Where the program is in an unpacked bundle. Windows names the folder of Program Files in its own ways. */
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
 * @throws when the version is none, or there is no bundle for the platform.
 */
export function awsBundle(
  version: string,
  { platform, arch }: Pick<ToolEnvironment, 'platform' | 'arch'>,
  baseUrl = OFFICIAL,
): AwsBundle {
  if (!/^2\.\d+\.\d+$/.test(version)) {
    throw new Error(
      `aws-cli-version: ${JSON.stringify(version)} is no version of AWS CLI 2. Use one like 2.38.1.`,
    )
  }
  if (platform === 'darwin') {
    return { kind: 'pkg', url: fileUrl(baseUrl, `AWSCLIV2-${version}.pkg`) }
  }
  if (platform === 'win32' && arch === 'x64') {
    return { kind: 'msi', url: fileUrl(baseUrl, `AWSCLIV2-${version}.msi`) }
  }
  const linux = platform === 'linux' && LINUX_ARCHITECTURES[arch]
  if (!linux) throw new Error(`AWS publishes no AWS CLI bundle for ${platform} on ${arch}`)
  return { kind: 'zip', url: fileUrl(baseUrl, `awscli-exe-linux-${linux}-${version}.zip`) }
}
