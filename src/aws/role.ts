import { mkdtemp, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { notePendingOfStep } from '../leftovers.ts'
import { removeTree } from '../process/remove-tree.ts'
import { log } from '../report/log.ts'
import { fetchIdentityToken, type IdentityToken } from './identity-token.ts'
import { Renewal } from './renewal.ts'

export type RoleOptions = {
  /** ARN of the role, or empty for none. */
  arn: string
  sessionName: string
  /** Lifetime of each set of credentials in seconds; null is the default of AWS, an hour. */
  duration: number | null
  /** AWS_ENDPOINT_URL_STS, or null for the STS of AWS. */
  stsEndpoint: string | null
  tempDirectory: string
  /** The user's home on this runner. */
  home: string | undefined
}

/** How long after a failed renewal the next attempt is made. */
const RETRY_DELAY_MS = 10_000

/**
 * The AWS role of the step. The job's OIDC token is kept in a private file and renewed until the step ends, so that the
 * AWS CLI can refresh its credentials whenever they expire. Nothing happens before the first use.
 */
export class Role implements AsyncDisposable {
  readonly #options: RoleOptions
  readonly #renewal = new Renewal(() => this.#renew(), {
    onFailure: (reason) => log.warning(`The OIDC token could not be renewed; trying again: ${reason}`),
    retryDelayMs: RETRY_DELAY_MS,
  })
  #opened: Promise<string> | null = null
  #forget: () => void = () => undefined

  constructor(options: RoleOptions) {
    this.#options = options
  }

  /** Whether the step has a role. */
  get given(): boolean {
    return this.#options.arn !== ''
  }

  /** Gets the first token early, so that no command waits for it. @throws an Error that says why there is none */
  async open(): Promise<void> {
    if (this.given) await this.#folder()
  }

  /** The variables with which the AWS CLI acts as the role; null when the step has no role. */
  async variables(cli: string): Promise<Record<string, string> | null> {
    if (!this.given) return null
    const folder = await this.#folder()
    const { arn, sessionName, duration, stsEndpoint, home } = this.#options
    const byProcess = duration !== null || stsEndpoint !== null
    const config = join(folder, 'config')
    await writeFile(config, byProcess ? this.#processConfig(cli, folder) : '', { mode: 0o600 })
    return {
      // The CLI must not read a profile of the runner, nor keep the role's credentials in the runner's home.
      AWS_CONFIG_FILE: config,
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      HOME: folder,
      USERPROFILE: folder,
      // Where `pip install --user` put a CLI of version 1 (Python: site.USER_BASE).
      ...(home && process.platform === 'linux' ? { PYTHONUSERBASE: join(home, '.local') } : {}),
      AWS_STS_REGIONAL_ENDPOINTS: 'regional',
      ...(!byProcess && {
        AWS_ROLE_ARN: arn,
        AWS_ROLE_SESSION_NAME: sessionName,
        AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'token'),
      }),
    }
  }

  /**
   * The CLI has no setting for the lifetime of a web identity's credentials (botocore's `credentials.py` passes no
   * DurationSeconds), and before 2.13 none for the endpoint of STS, so it runs another CLI that requests them whenever they
   * expire.
   */
  #processConfig(cli: string, folder: string): string {
    const { arn, sessionName, duration, stsEndpoint } = this.#options
    const command = [
      ...[cli, 'sts', 'assume-role-with-web-identity', '--profile', 'token-only', '--no-sign-request'],
      ...['--role-arn', arn, '--role-session-name', sessionName],
      ...(duration === null ? [] : ['--duration-seconds', String(duration)]),
      ...(stsEndpoint === null ? [] : ['--endpoint-url', stsEndpoint]),
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
    this.#forget = notePendingOfStep({ kind: 'file', path: folder })
    await this.#store(folder, token)
    log.info(`AWS: as ${this.#options.arn}, with the OIDC token of this job`)
    return folder
  }

  /** Replaces the token in one step, because a CLI may be reading it. */
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
    await removeTree(folder)
    this.#forget()
  }
}
