import { formatBytes, formatDuration } from '../report/format.ts'

/** Bytes of a database that move in a second, conservatively: most runners do several times that. */
const RATE = { dump: 20e6, restore: 10e6 }

/** What AWS gives to a role that asks for nothing else. */
const USUAL_LIFE = 60 * 60_000

const REMEDY = 'give aws-role-to-assume, whose credentials are renewed while the step runs'

/**
 * Whether the AWS credentials at hand live long enough. Only those in variables have an end: profiles, instances and
 * roles of this action are refreshed by the AWS CLI itself.
 *
 * @param variables what the AWS CLI sees
 * @returns a warning that names when they expire, or null
 * @throws an Error when they have expired already
 */
export function expiryWarning(
  variables: Readonly<Record<string, string | undefined>>,
  work: { kind: keyof typeof RATE; bytes: number },
  now: number,
): string | null {
  const { AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION } = variables
  if (!AWS_ACCESS_KEY_ID || !AWS_SESSION_TOKEN) return null
  const expected = (work.bytes / RATE[work.kind]) * 1000
  const effort = `the ${work.kind} of ${formatBytes(work.bytes)} may take ${formatDuration(expected)}`
  const expiresAt = Date.parse(AWS_CREDENTIAL_EXPIRATION ?? '')
  if (Number.isNaN(expiresAt)) {
    if (expected < USUAL_LIFE) return null
    return `The AWS credentials are temporary (AWS_SESSION_TOKEN), usually for an hour, and ${effort}; ${REMEDY}`
  }
  const end = new Date(expiresAt).toISOString()
  if (expiresAt <= now) throw new Error(`The AWS credentials expired at ${end}; ${REMEDY}`)
  if (now + expected < expiresAt) return null
  return `The AWS credentials expire at ${end}, in ${formatDuration(expiresAt - now)}, and ${effort}; ${REMEDY}`
}
