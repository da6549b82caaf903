import { compareVersions, isBetween } from './version.ts'

export type AwsCli = {
  path: string
  /** As in `2.38.1`. */
  version: string
  major: number
  /** Whether `s3api put-object` knows `--if-none-match` (AWS announced it in August 2024). */
  supportsConditionalPut: boolean
}

/** From what `aws --version` prints: `aws-cli/2.38.1 Python/3.13.4 Linux/…`. Null when it is something else. */
export function parseAwsVersion(path: string, output: string): AwsCli | null {
  const version = /^aws-cli\/(\d+\.\d+\.\d+)/m.exec(output)?.[1]
  if (!version) return null
  const major = Number.parseInt(version, 10)
  const supportsConditionalPut = compareVersions(version, major >= 2 ? '2.18.0' : '1.35.0') >= 0
  return { path, version, major, supportsConditionalPut }
}

/** The oldest v1 that we use; from here on it knows AWS_ENDPOINT_URL as v2 does. */
const OLDEST_V1 = '1.29.0'

/** The newest v2, or else the newest v1 that is not too old. */
export function chooseAws(clis: readonly AwsCli[]): AwsCli | undefined {
  return clis
    .filter(({ version }) => compareVersions(version, OLDEST_V1) >= 0)
    .sort((a, b) => compareVersions(b.version, a.version))[0]
}

/** What is known to be wrong with this version. */
export function awsWarnings({ version, major }: AwsCli): string[] {
  const warnings: string[] = []
  if (major < 2) {
    // https://aws.amazon.com/blogs/developer/cli-v1-maintenance-mode-announcement/
    warnings.push(
      `AWS CLI ${version}: version 1 is in maintenance mode and its support ends on 15 July 2027. Use version 2.`,
    )
  }
  // https://github.com/aws/aws-cli/pull/10622
  if (isBetween(version, '2.32.32', '2.38.0')) {
    warnings.push(
      `AWS CLI ${version} does not retry a download whose connection breaks. Use 2.38.1 or newer.`,
    )
  }
  return warnings
}
