import * as core from '@actions/core'

/** The audience that AWS expects in the token (GitHub: "Configuring OpenID Connect in Amazon Web Services"). */
const AUDIENCE = 'sts.amazonaws.com'

/** An OIDC token of the job. */
export type IdentityToken = {
  text: string
  /** Milliseconds since the epoch. */
  expiresAt: number
}

/**
 * Asks GitHub for a token that says which job this is.
 *
 * @throws an Error that names the permission when the job has none
 */
export async function fetchIdentityToken(): Promise<IdentityToken> {
  if (!process.env.ACTIONS_ID_TOKEN_REQUEST_URL || !process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN) {
    throw new Error(
      'aws-role-to-assume needs the OIDC token of the job, which may not have one; add `permissions: id-token: write` to the job (pull requests from forks and workflows called without that permission never get it)',
    )
  }
  try {
    // It hides the token from the log itself.
    const text = await core.getIDToken(AUDIENCE)
    return { text, expiresAt: expiryOf(text) }
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, ' ')
    throw new Error(`GitHub gave no OIDC token, which aws-role-to-assume needs: ${reason}`, { cause: error })
  }
}

/** GitHub's tokens live five minutes or longer; one that does not say so is taken for short-lived. */
const SHORT_LIFE = 4 * 60_000

/** When a token expires, from the claim `exp` (RFC 7519) in its second part. */
function expiryOf(token: string): number {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      exp?: unknown
    }
    if (typeof claims.exp === 'number') return claims.exp * 1000
  } catch {
    // Not ours to judge: AWS will.
  }
  return Date.now() + SHORT_LIFE
}
