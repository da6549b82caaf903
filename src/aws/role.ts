import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { notePending } from '../leftovers.ts'
import { log } from '../report/log.ts'
import { fetchIdentityToken, type IdentityToken } from './identity-token.ts'
import { Renewal } from './renewal.ts'

export type RoleOptions = {
  /** ARN of the role, or empty for none. */
  arn: string
  sessionName: string
  /** Seconds that each set of credentials lives; null is what AWS gives, an hour. */
  duration: number | null
  tempDirectory: string
  /** The user's home on this runner. */
  home: string | undefined
}

/** Milliseconds until a renewal that failed is tried again. */
const TRY_AGAIN = 10_000

/**
 * The AWS role of the step. The job's OIDC token lies in a private file, which is renewed for as long as the step lasts,
 * so that the AWS CLI can refresh its credentials by itself whenever they run out. Nothing happens before the first use.
 */
export class Role implements AsyncDisposable {
  readonly #options: RoleOptions
  readonly #renewal = new Renewal(() => this.#renew(), {
    onFailure: (reason) => log.warning(`The OIDC token could not be renewed and is tried again: ${reason}`),
    tryAgain: TRY_AGAIN,
  })
  #opened: Promise<string> | null = null
  #forget: () => void = () => undefined

  constructor(options: RoleOptions) {
    this.#options = options
  }

  /** Whether the step has one. */
  get given(): boolean {
    return this.#options.arn !== ''
  }

  /** Gets the first token, so that nobody has to wait for it later. @throws an Error that says why there is none */
  async open(): Promise<void> {
    if (this.given) await this.#folder()
  }

  /** What the AWS CLI must see to act as the role; null when the step has none. */
  async variables(cli: string): Promise<Record<string, string> | null> {
    if (!this.given) return null
    const folder = await this.#folder()
    const { arn, sessionName, duration, home } = this.#options
    const config = join(folder, 'config')
    await writeFile(config, duration === null ? '' : this.#processConfig(cli, folder, duration), {
      mode: 0o600,
    })
    return {
      // A profile of the runner must not be taken for the role's, and the CLI keeps credentials below its home.
      AWS_CONFIG_FILE: config,
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      HOME: folder,
      USERPROFILE: folder,
      // Where `pip install --user` put a CLI of version 1 (Python: site.USER_BASE).
      ...(home && process.platform === 'linux' ? { PYTHONUSERBASE: join(home, '.local') } : {}),
      AWS_STS_REGIONAL_ENDPOINTS: 'regional',
      ...(duration === null && {
        AWS_ROLE_ARN: arn,
        AWS_ROLE_SESSION_NAME: sessionName,
        AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'token'),
      }),
    }
  }

  /**
   * The CLI has no setting for how long a web identity's credentials live (botocore's `credentials.py` passes no
   * DurationSeconds), so another CLI asks for them, whenever they run out.
   */
  #processConfig(cli: string, folder: string, duration: number): string {
    const { arn, sessionName } = this.#options
    const command = [
      ...[cli, 'sts', 'assume-role-with-web-identity', '--profile', 'token-only', '--no-sign-request'],
      ...['--role-arn', arn, '--role-session-name', sessionName, '--duration-seconds', String(duration)],
      ...['--web-identity-token', `file://${join(folder, 'token')}`, '--output', 'json', '--query'],
      '{Version:`1`,AccessKeyId:Credentials.AccessKeyId,SecretAccessKey:Credentials.SecretAccessKey,SessionToken:Credentials.SessionToken,Expiration:Credentials.Expiration}',
    ]
    const line = command.map((argument) => `"${argument}"`).join(' ')
    return `[default]\ncredential_process = ${line}\n[profile token-only]\noutput = json\n`
  }

  #folder(): Promise<string> {
    this.#opened ??= this.#open()
    return this.#opened
  }

  async #open(): Promise<string> {
    const token = await fetchIdentityToken()
    const folder = await mkdtemp(join(this.#options.tempDirectory, 'pgclone-aws-'))
    this.#forget = notePending({ kind: 'file', path: folder })
    await this.#store(folder, token)
    log.info(`AWS: as ${this.#options.arn}, by the OIDC token of this job`)
    return folder
  }

  /** In one move, because a CLI may be reading it. */
  async #store(folder: string, token: IdentityToken): Promise<void> {
    const path = join(folder, 'token')
    await writeFile(`${path}.new`, token.text, { mode: 0o600 })
    await rename(`${path}.new`, path)
    this.#renewal.after(Math.max(1000, (token.expiresAt - Date.now()) / 2))
  }

  async #renew(): Promise<void> {
    const token = await fetchIdentityToken()
    if (!this.#renewal.closed) await this.#store(await this.#folder(), token)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#renewal[Symbol.dispose]()
    const folder = await this.#opened?.catch(() => null)
    if (!folder) return
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    this.#forget()
  }
}
