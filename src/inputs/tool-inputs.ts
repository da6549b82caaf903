import type { AwsRelease } from '../tools/aws/provide-aws-cli.ts'
import { parseHttpUrl } from './parse.ts'

/** Readers of the inputs about programs. Each returns a value or throws an Error that completes the sentence "<input> …". */

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
