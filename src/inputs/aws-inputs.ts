import { parseDuration } from './parse.ts'

/** Readers of the AWS inputs. Each returns a value or throws an Error that completes the sentence "<input> …". */

/** Reads a region of AWS or of another provider. */
export function parseRegion(text: string): string {
  if (/^[A-Za-z0-9-]{2,40}$/.test(text)) return text
  throw new Error(`must be a region such as eu-central-1, not ${JSON.stringify(text)}`)
}

/** Reads the ARN of a role, in any partition. */
export function parseRole(text: string): string {
  if (/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(text)) return text
  throw new Error(
    `must be the ARN of a role, arn:aws:iam::123456789012:role/NAME, not ${JSON.stringify(text)}`,
  )
}

/** Reads a name within the limits of RoleSessionName (AWS: API Reference, AssumeRoleWithWebIdentity). */
export function parseSessionName(text: string): string {
  if (/^[\w+=,.@-]{2,64}$/.test(text)) return text
  throw new Error('must have 2 to 64 characters: letters, digits and _+=,.@-')
}

/** Reads a duration in seconds. AWS accepts 15 minutes to 12 hours, up to the maximum session duration of the role. */
export function parseRoleDuration(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : parseDuration(text) / 1000
  if (seconds < 900 || seconds > 43_200)
    throw new Error(`must be from 15m to 12h, not ${JSON.stringify(text)}`)
  return Math.round(seconds)
}
