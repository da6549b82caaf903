import { compareVersions, isBetween } from '../compare-versions.ts'

export type AwsCli = {
  path: string
  /** As in `2.38.1`. */
  version: string
  major: number
  /** Whether `s3api put-object` knows `--if-none-match` (AWS announced it in August 2024). */
  supportsConditionalPut: boolean
}

/** Reads what `aws --version` prints: `aws-cli/2.38.1 Python/3.13.4 Linux/…`. Returns null for anything else. */
export function parseAwsVersion(path: string, output: string): AwsCli | null {
  const version = /^aws-cli\/(\d+\.\d+\.\d+)/m.exec(output)?.[1]
  return version ? awsOfVersion(path, version) : null
}

/** Describes the AWS CLI of a version such as `2.38.1`. */
export function awsOfVersion(path: string, version: string): AwsCli {
  const major = Number.parseInt(version, 10)
  const supportsConditionalPut = compareVersions(version, major >= 2 ? '2.18.0' : '1.35.0') >= 0
  return { path, version, major, supportsConditionalPut }
}

/** The oldest v1 that is used: from this version on it knows AWS_ENDPOINT_URL, as v2 does. */
const OLDEST_V1 = '1.29.0'

/** In these versions `s3 cp` adds checksums and ignores the setting that turns them off (aws-cli, pull request 9238). */
const IGNORES_CHECKSUM_SETTING = ['2.23.0', '2.23.5'] as const
/** These versions use urllib3 2 and lack aws-cli's pull request 10622. */
const GIVES_UP_DOWNLOADS = ['2.32.32', '2.38.0'] as const

/** What makes one CLI better than another, in this order; among equals the newest is the best. */
const ABILITIES: readonly ((cli: AwsCli) => boolean)[] = [
  (cli) => cli.supportsConditionalPut,
  (cli) => !isBetween(cli.version, ...IGNORES_CHECKSUM_SETTING),
  (cli) => cli.major >= 2,
  (cli) => !isBetween(cli.version, ...GIVES_UP_DOWNLOADS),
]

/** Chooses the CLI with the most abilities, among those that are not too old. */
export function chooseAws(clis: readonly AwsCli[]): AwsCli | undefined {
  return clis.filter(({ version }) => compareVersions(version, OLDEST_V1) >= 0).sort(byAbilities)[0]
}

function byAbilities(a: AwsCli, b: AwsCli): number {
  const able = ABILITIES.find((ability) => ability(a) !== ability(b))
  return able ? Number(able(b)) - Number(able(a)) : compareVersions(b.version, a.version)
}

/** What the CLI is used for, as far as it decides which flaws matter. */
export type AwsUse = { downloads: boolean; checksum: 'when_supported' | 'when_required' }

/** The known flaws of this version for this use, with the version that fixes them. */
export function awsWarnings({ version, major }: AwsCli, { downloads, checksum }: AwsUse): string[] {
  const warnings: string[] = []
  if (major < 2) {
    // https://aws.amazon.com/blogs/developer/cli-v1-maintenance-mode-announcement/
    warnings.push(
      `AWS CLI ${version}: version 1 is in maintenance mode and its support ends on 15 July 2027. Use version 2.`,
    )
  }
  if (downloads && isBetween(version, ...GIVES_UP_DOWNLOADS)) {
    warnings.push(
      `AWS CLI ${version} does not retry a download whose connection breaks. Use 2.38.1 or newer.`,
    )
  }
  if (checksum === 'when_required' && isBetween(version, ...IGNORES_CHECKSUM_SETTING)) {
    warnings.push(
      `AWS CLI ${version} adds checksums although s3-checksum says when-required, which some providers refuse or store in the object. Use 2.23.6 or newer.`,
    )
  }
  return warnings
}
