import type { AwsRelease } from '../tools/aws/provide-aws-cli.ts'
import { parseChoice, parseHttpUrl, parseInteger } from './parse.ts'
import type { Reader } from './reader.ts'

const INSTALL_MODES = ['auto', 'never'] as const

/** The inputs about the programs that a step starts. */
export type ToolInputs = Readonly<{
  postgresVersion: number | 'auto'
  installTools: (typeof INSTALL_MODES)[number]
  /** The release that is installed if the machine has no AWS CLI. */
  awsCli: AwsRelease
  /** The mirror to download from. */
  downloadBaseUrl: string | null
}>

/** Reads the inputs about programs. */
export function readTools(reader: Reader): ToolInputs {
  return {
    postgresVersion: reader.read('postgres-version', parseMajor, 'auto'),
    installTools: reader.read('install-tools', (text) => parseChoice(text, INSTALL_MODES), 'auto'),
    awsCli: reader.read('aws-cli-version', parseAwsRelease, { version: '', sha256: null }),
    downloadBaseUrl: reader.read('download-base-url', parseMirror, null),
  }
}

// Each of the following returns a value or throws an Error that completes the sentence "<input> …".

/** Reads a major version of PostgreSQL, or `auto`. */
function parseMajor(text: string): number | 'auto' {
  return text === 'auto' ? 'auto' : parseInteger(text, { min: 10, max: 99 })
}

/** Reads `2.38.1`, or `2.38.1@sha256:…` with the digest of the bundle for this platform. */
export function parseAwsRelease(text: string): AwsRelease {
  const [, version, , sha256] = /^(2\.\d+\.\d+)(@sha256:([0-9a-f]{64}))?$/i.exec(text) ?? []
  if (version) return { version, sha256: sha256?.toLowerCase() ?? null }
  throw new Error(
    `must be a version of AWS CLI 2 such as 2.38.1, with an optional @sha256: and its 64 hex digits, not ${JSON.stringify(text)}`,
  )
}

/** Reads the address of a mirror. */
export function parseMirror(text: string): string {
  return parseHttpUrl(text, 'use a mirror that does not require them').replace(/\/+$/, '')
}
