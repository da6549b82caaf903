import { formatBytes, formatDuration } from '../report/format.ts'

/** A cautious estimate; most runners are several times faster. */
const BYTES_PER_SECOND = { dump: 20e6, restore: 10e6 }

/** How long the credentials of a role live by default. */
const DEFAULT_LIFETIME_MS = 60 * 60_000

const REMEDY = 'give aws-role-to-assume, whose credentials are renewed while the step runs'

/**
 * Checks that the AWS credentials live long enough. Only credentials in variables matter: the AWS CLI itself refreshes
 * those of profiles, instances and `aws-role-to-assume`.
 *
 * @param variables what the AWS CLI sees
 * @returns a warning that names when they expire, or null
 * @throws an Error when they have expired already
 */
export function expiryWarning(
  variables: Readonly<Record<string, string | undefined>>,
  work: { kind: keyof typeof BYTES_PER_SECOND; bytes: number },
  now: number,
): string | null {
  const { AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION } = variables
  if (!AWS_ACCESS_KEY_ID || !AWS_SESSION_TOKEN) return null
  const expected = (work.bytes / BYTES_PER_SECOND[work.kind]) * 1000
  const effort = `the ${work.kind} of ${formatBytes(work.bytes)} may take ${formatDuration(expected)}`
  const expiresAt = Date.parse(AWS_CREDENTIAL_EXPIRATION ?? '')
  if (Number.isNaN(expiresAt)) {
    if (expected < DEFAULT_LIFETIME_MS) return null
    return `The AWS credentials are temporary (AWS_SESSION_TOKEN), usually for an hour, and ${effort}; ${REMEDY}`
  }
  const end = new Date(expiresAt).toISOString()
  if (expiresAt <= now) throw new Error(`The AWS credentials expired at ${end}; ${REMEDY}`)
  if (now + expected < expiresAt) return null
  return `The AWS credentials expire at ${end}, in ${formatDuration(expiresAt - now)}, and ${effort}; ${REMEDY}`
}
