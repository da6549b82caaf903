import * as core from '@actions/core'
import { messageOf } from '../errors.ts'

/** The audience that AWS expects in the token (GitHub: "Configuring OpenID Connect in Amazon Web Services"). */
const AUDIENCE = 'sts.amazonaws.com'

/** An OIDC token of the job. */
export type IdentityToken = {
  text: string
  /** Milliseconds since the epoch. */
  expiresAt: number
}

/**
 * Requests the job's OIDC token from GitHub.
 *
 * @throws an Error that names the missing permission
 */
export async function fetchIdentityToken(): Promise<IdentityToken> {
  if (!process.env.ACTIONS_ID_TOKEN_REQUEST_URL || !process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN) {
    throw new Error(
      'aws-role-to-assume needs an OIDC token, and this job may not request one; add `permissions: id-token: write` to the job (pull requests from forks and workflows called without that permission never get it)',
    )
  }
  try {
    // getIDToken masks the token in the log.
    const text = await core.getIDToken(AUDIENCE)
    return { text, expiresAt: expiryOf(text) }
  } catch (error) {
    const reason = messageOf(error).replace(/\s+/g, ' ')
    throw new Error(`GitHub did not give this job an OIDC token, which aws-role-to-assume needs: ${reason}`, {
      cause: error,
    })
  }
}

/** The assumed lifetime of a token without an expiry date; GitHub's tokens live at least five minutes. */
const DEFAULT_LIFETIME_MS = 4 * 60_000

/** Returns when a token expires, from the claim `exp` (RFC 7519) in its second part. */
function expiryOf(token: string): number {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      exp?: unknown
    }
    if (typeof claims.exp === 'number') return claims.exp * 1000
  } catch {
    // AWS judges whether the token is valid.
  }
  return Date.now() + DEFAULT_LIFETIME_MS
}
