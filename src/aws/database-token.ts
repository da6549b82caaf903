import type { Connection } from '../database/connection/connection.ts'
import type { Aws } from './cli.ts'
import { Renewal } from './renewal.ts'

/** Amazon: "Connecting to your DB instance using IAM authentication": a token opens connections for 15 minutes. */
const RENEW = 10 * 60_000
const TRY_AGAIN = 30_000

const TLS = ['require', 'verify-ca', 'verify-full']

/** Endpoints with their region, of the world and of China (AWS: "Amazon RDS endpoints"). */
const REGIONS = [/\.([a-z0-9-]+)\.rds\.amazonaws\.com$/, /\.rds\.([a-z0-9-]+)\.amazonaws\.com\.cn$/]

/** Where a token opens the door. */
export type TokenRequest = { host: string; port: string; user: string; region: string }

/**
 * What to ask a token for.
 *
 * @param input which input the connection is from, for errors
 * @param otherwise the region when the host name does not tell it
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
  if (!TLS.includes(PGSSLMODE)) {
    throw new Error(
      `rds-iam-auth sends the token as a password, which RDS takes over TLS only: add sslmode=verify-full (with sslrootcert) or sslmode=require to ${input} (${label})`,
    )
  }
  const region = REGIONS.map((form) => form.exec(PGHOST)?.[1]).find((found) => found) ?? otherwise
  if (!region)
    throw new Error(
      `rds-iam-auth needs the region of the database, which the host name in ${input} does not tell: set aws-region`,
    )
  return { host: PGHOST, port: PGPORT, user: PGUSER, region }
}

/** Who hears of every token before it is used, and of every renewal that failed. */
export type TokenListener = { token: (token: string) => void; failure: (reason: string) => void }

/** A password from IAM that is renewed while we work, because it opens connections for a quarter of an hour only. */
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
    this.#renewal = new Renewal(() => this.#fetch(), { onFailure: listener.failure, tryAgain: TRY_AGAIN })
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
    this.#renewal.after(RENEW)
  }

  [Symbol.dispose](): void {
    this.#renewal[Symbol.dispose]()
  }
}
