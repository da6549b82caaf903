import { noteGroup } from '../leftovers.ts'
import { type Child, childFailure, type Exit, startChild, succeeded } from '../process/child.ts'
import { type Environment, pick, toolEnvironment } from '../process/environment.ts'
import { type Finished, run } from '../process/run.ts'
import { explainAws } from './errors.ts'
import { regionVariables } from './region.ts'

export type AwsOptions = {
  /** Absolute path of the AWS CLI, which may be known only when it has said its version. */
  cli: string | Promise<string>
  /** What `cli` will probably be. Work that can be ended again begins with it, as each start takes most of a second. */
  likelyCli?: string | null
  environment: Environment
  /** From `s3-config`; wins over the job's environment. */
  config: Readonly<Record<string, string>>
  endpointUrl: string | null
  checksum: 'when_supported' | 'when_required'
  /** Null leaves it to the CLI. */
  region: string | null
  /** Credentials that replace all those of the job and of `config`; null keeps those. */
  identity: Readonly<Record<string, string>> | null
  signal: AbortSignal
}

/** A command of the AWS CLI that failed; `code` is that of the service (`NoSuchKey`, `AccessDenied`, `404`, …) or empty. */
export class AwsError extends Error {
  readonly code: string
  /** What the CLI itself said. */
  readonly detail: string

  constructor(message: string, code: string, detail: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.detail = detail
  }
}

/** Variables that the AWS CLI may see beside the ordinary ones: its own, proxies and certificates. */
export const AWS_VARIABLE =
  /^(AWS_[A-Z0-9_]+|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_(FILE|DIR))$/

/** For each attempt, in seconds; the CLI's own minute is too long for a store that was reached before. */
const CONNECT_TIMEOUT = ['--cli-connect-timeout', '15']

/** Variables that hold or choose credentials. */
const CREDENTIALS =
  /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|CREDENTIAL_EXPIRATION|(DEFAULT_)?PROFILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONTAINER_.*)$/

/** What the AWS CLI may see of the job's environment and of `s3-config`, which wins. */
export function awsVariables(
  environment: Environment,
  config: Readonly<Record<string, string>>,
): Record<string, string> {
  return { ...pick(environment, (name) => AWS_VARIABLE.test(name)), ...config }
}

/** The AWS CLI with the endpoint, the region and the credentials of one service, and nothing else of the job's environment. */
export class Aws {
  readonly #options: AwsOptions
  /** The program, or the likely one until it is known. */
  #cli: string | null
  #isKnown: boolean

  constructor(options: AwsOptions) {
    this.#options = options
    this.#isKnown = typeof options.cli === 'string'
    this.#cli = typeof options.cli === 'string' ? options.cli : (options.likelyCli ?? null)
  }

  /** Waits until the program is known. */
  async #know(): Promise<void> {
    this.#cli = await this.#options.cli
    this.#isKnown = true
  }

  /**
   * Begins work that can be ended without a trace with the likely program, and again if another one turns out to be right.
   *
   * @param end ends work that was begun in vain
   */
  async begin<Work>(start: () => Work, end: (begun: Work) => Promise<unknown>): Promise<Work> {
    if (this.#cli === null) await this.#know()
    if (this.#isKnown) return start()
    const likely = this.#cli
    const begun = start()
    try {
      await this.#know()
    } catch (error) {
      await end(begun)
      throw error
    }
    if (this.#cli === likely) return begun
    await end(begun)
    return start()
  }

  #environment(): Record<string, string> {
    const { environment, config, checksum, region, identity } = this.#options
    const given = awsVariables(environment, config)
    return {
      ...toolEnvironment(environment),
      // Attempts of the CLI for one request, enough for some seconds of SlowDown.
      AWS_MAX_ATTEMPTS: '6',
      AWS_REQUEST_CHECKSUM_CALCULATION: checksum,
      AWS_RESPONSE_CHECKSUM_VALIDATION: checksum,
      ...(identity ? pick(given, (name) => !CREDENTIALS.test(name)) : given),
      ...identity,
      ...regionVariables(region),
      AWS_PAGER: '',
      AWS_CLI_AUTO_PROMPT: 'off',
    }
  }

  #arguments(args: readonly string[]): string[] {
    const { endpointUrl } = this.#options
    return [...args, ...CONNECT_TIMEOUT, ...(endpointUrl ? ['--endpoint-url', endpointUrl] : [])]
  }

  /** Ends what runs for the step. */
  get signal(): AbortSignal {
    return this.#options.signal
  }

  /**
   * Starts a transfer with open pipes; call it in `begin`.
   *
   * @param options.quiet whether the log does not show what the CLI says; its error has it in any case
   */
  start(
    args: readonly string[],
    { stdin, quiet = false }: { stdin: 'stream' | 'none'; quiet?: boolean },
  ): Child {
    return startChild(this.#cli!, this.#arguments(args), {
      ...{ name: 'aws', env: this.#environment(), stdin, stdout: 'stream' },
      ...(quiet && { onErrorLine: () => false }),
      // A group, because `aws` may be a script whose child must not outlive it.
      group: true,
    })
  }

  /**
   * Runs a short command and returns what it printed. One that a cancel does not end is recorded, so that the post step ends
   * it when this process was killed.
   *
   * @throws AwsError
   */
  async text(args: readonly string[], options: { evenWhenCancelled?: boolean } = {}): Promise<string> {
    if (options.evenWhenCancelled) await this.#know()
    const { finished } = await this.begin(
      () => this.#run(args, options),
      (begun) => begun.stop(),
    )
    const { exit, stdout, child } = await finished
    if (!succeeded(exit)) throw this.failure(child, exit, args.slice(0, 2).join(' '))
    return stdout
  }

  #run(
    args: readonly string[],
    { evenWhenCancelled }: { evenWhenCancelled?: boolean },
  ): { finished: Promise<Finished>; stop: () => Promise<unknown> } {
    const vain = new AbortController()
    const signal = AbortSignal.any([this.#options.signal, vain.signal])
    const finished = run(this.#cli!, this.#arguments(args), {
      name: 'aws',
      env: this.#environment(),
      onErrorLine: () => false,
      ...(evenWhenCancelled ? { group: true, onStart: noteGroup } : { signal }),
    })
    // It may fail before it is known whether its answer counts.
    finished.catch(() => undefined)
    const stop = () => {
      vain.abort(new Error('another AWS CLI is used'))
      return finished.catch(() => undefined)
    }
    return { finished, stop }
  }

  /** As `text`, for commands that answer in JSON; `{}` when they answer nothing. */
  async json<Answer>(
    args: readonly string[],
    options: { evenWhenCancelled?: boolean } = {},
  ): Promise<Answer> {
    const text = await this.text([...args, '--output', 'json'], options)
    return JSON.parse(text.trim() || '{}') as Answer
  }

  /** The error of a command that failed, with a sentence about the cause. */
  failure(child: Child, exit: Exit, what: string): AwsError {
    const { environment, config, endpointUrl } = this.#options
    const { AWS_ENDPOINT_URL_STS } = awsVariables(environment, config)
    const detail = child.tail.join('\n')
    const { code, sentence } = explainAws(detail, { store: endpointUrl, sts: AWS_ENDPOINT_URL_STS || null })
    const end = exit.error
      ? `could not be started: ${exit.error.message}`
      : (exit.signal ?? `exit code ${exit.code}`)
    const cause = childFailure(child, exit)
    return new AwsError(`aws ${what} failed (${end}): ${sentence}`, code, detail, { cause })
  }
}
