import { parseDuration } from './parse.ts'
import type { Reader } from './reader.ts'

/** The inputs about the identity at AWS. */
export type AwsInputs = Readonly<{
  /** If it is empty, `s3-config`, the endpoint or the job decides. */
  awsRegion: string
  /** ARN of the role that the step assumes with the job's OIDC token, or empty. */
  awsRole: string
  awsRoleSessionName: string
  /** Seconds; null is the default of AWS. */
  awsRoleDuration: number | null
  /** Whether the database password is an IAM token of RDS. */
  rdsIamAuth: boolean
}>

/** Reads the inputs about the identity at AWS. */
export function readAws(reader: Reader): AwsInputs {
  return {
    awsRegion: reader.read('aws-region', parseRegion, ''),
    awsRole: reader.read('aws-role-to-assume', parseRole, ''),
    awsRoleSessionName: reader.read('aws-role-session-name', parseSessionName, 'pgclone-action'),
    awsRoleDuration: reader.read('aws-role-duration', parseRoleDuration, null),
    rdsIamAuth: reader.boolean('rds-iam-auth'),
  }
}

// Each of the following returns a value or throws an Error that completes the sentence "<input> …".

/** Reads a region of AWS or of another provider. */
function parseRegion(text: string): string {
  if (/^[A-Za-z0-9-]{2,40}$/.test(text)) return text
  throw new Error(`must be a region such as eu-central-1, not ${JSON.stringify(text)}`)
}

/** Reads the ARN of a role, in any partition. */
function parseRole(text: string): string {
  if (/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(text)) return text
  throw new Error(
    `must be the ARN of a role, arn:aws:iam::123456789012:role/NAME, not ${JSON.stringify(text)}`,
  )
}

/** Reads a name within the limits of RoleSessionName (AWS: API Reference, AssumeRoleWithWebIdentity). */
function parseSessionName(text: string): string {
  if (/^[\w+=,.@-]{2,64}$/.test(text)) return text
  throw new Error('must have 2 to 64 characters: letters, digits and _+=,.@-')
}

/** Reads a duration in seconds. AWS accepts 15 minutes to 12 hours, up to the maximum session duration of the role. */
function parseRoleDuration(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : parseDuration(text) / 1000
  if (seconds < 900 || seconds > 43_200)
    throw new Error(`must be from 15m to 12h, not ${JSON.stringify(text)}`)
  return Math.round(seconds)
}
