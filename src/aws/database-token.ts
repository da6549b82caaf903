import type { Connection } from '../database/connection/connection.ts'
import type { Aws } from './cli.ts'
import { Renewal } from './renewal.ts'

/** A token opens connections for 15 minutes (Amazon: "Connecting to your DB instance using IAM authentication"). */
const RENEWAL_INTERVAL_MS = 10 * 60_000
const RETRY_DELAY_MS = 30_000

const TLS_MODES = ['require', 'verify-ca', 'verify-full']

/** Host names of RDS with their region, in the AWS and the AWS China partitions (AWS: "Amazon RDS endpoints"). */
const REGION_PATTERNS = [/\.([a-z0-9-]+)\.rds\.amazonaws\.com$/, /\.rds\.([a-z0-9-]+)\.amazonaws\.com\.cn$/]

/** The endpoint and the user that a token is for. */
export type TokenRequest = { host: string; port: string; user: string; region: string }

/**
 * Reads from a connection what its token must be for.
 *
 * @param input     the input of the connection, for errors
 * @param otherwise the region when the host name does not contain it
 * @throws an Error that says what the connection lacks
 */
export function tokenRequest(
  input: string,
  { variables, label }: Connection,
  otherwise: string | null,
): TokenRequest {
  const { PGHOST = '', PGPORT = '5432', PGUSER = '', PGSSLMODE = '' } = variables
  if (PGHOST === '' || PGHOST.includes(',') || PGHOST.startsWith('/'))
    throw new Error(`rds-iam-auth needs the one host name of the RDS endpoint in ${input} (${label})`)
  if (PGUSER === '') throw new Error(`rds-iam-auth needs a user name in ${input} (${label})`)
  if (!TLS_MODES.includes(PGSSLMODE)) {
    throw new Error(
      `rds-iam-auth sends the token as a password, which RDS accepts over TLS only: add sslmode=verify-full (with sslrootcert) or sslmode=require to ${input} (${label})`,
    )
  }
  const region =
    REGION_PATTERNS.map((pattern) => pattern.exec(PGHOST)?.[1]).find((found) => found) ?? otherwise
  if (!region)
    throw new Error(
      `rds-iam-auth needs the region of the database, which the host name in ${input} does not contain: set aws-region`,
    )
  return { host: PGHOST, port: PGPORT, user: PGUSER, region }
}

/** Is called with every token before it is used, and with the reason of every renewal that failed. */
export type TokenListener = { token: (token: string) => void; failure: (reason: string) => void }

/** A password from IAM. It is renewed until the end of the step, because it opens connections for 15 minutes only. */
export class DatabaseToken implements Disposable {
  #current = ''
  readonly #aws: Aws
  readonly #request: TokenRequest
  readonly #listener: TokenListener
  readonly #renewal: Renewal

  private constructor(aws: Aws, request: TokenRequest, listener: TokenListener) {
    this.#aws = aws
    this.#request = request
    this.#listener = listener
    this.#renewal = new Renewal(() => this.#fetch(), {
      onFailure: listener.failure,
      retryDelayMs: RETRY_DELAY_MS,
    })
  }

  /** @throws an Error with the reason of the AWS CLI */
  static async open(aws: Aws, request: TokenRequest, listener: TokenListener): Promise<DatabaseToken> {
    const token = new DatabaseToken(aws, request, listener)
    await token.#fetch()
    return token
  }

  readonly current = (): string => this.#current

  async #fetch(): Promise<void> {
    const { host, port, user, region } = this.#request
    const where = ['--hostname', host, '--port', port, '--username', user, '--region', region]
    const token = (await this.#aws.text(['rds', 'generate-db-auth-token', ...where])).trim()
    this.#listener.token(token)
    this.#current = token
    this.#renewal.after(RENEWAL_INTERVAL_MS)
  }

  [Symbol.dispose](): void {
    this.#renewal[Symbol.dispose]()
  }
}
