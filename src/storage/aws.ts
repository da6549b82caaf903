import { type Child, type Exit, startChild, succeeded } from '../process/child.ts'
import { type Environment, pick, toolEnvironment } from '../process/environment.ts'
import { run } from '../process/run.ts'
import { explainAws } from './explain.ts'

export type AwsOptions = {
  /** Absolute path of the AWS CLI. */
  cli: string
  environment: Environment
  /** From `s3-config`; wins over the job's environment. */
  config: Readonly<Record<string, string>>
  endpointUrl: string | null
  checksum: 'when_supported' | 'when_required'
  signal: AbortSignal
}

/** A request that the store refused; `code` is S3's own (`NoSuchKey`, `AccessDenied`, `404`, …) or empty. */
export class AwsError extends Error {
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

/** Names that the AWS CLI may see beside the ordinary ones: its own, proxies and certificates. */
export const AWS_VARIABLE =
  /^(AWS_[A-Z0-9_]+|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_(FILE|DIR))$/

/** The AWS CLI, told where the store is and nothing that is not its business. */
export class Aws {
  readonly #options: AwsOptions

  constructor(options: AwsOptions) {
    this.#options = options
  }

  #environment(): Record<string, string> {
    const { environment, config, checksum } = this.#options
    return {
      ...toolEnvironment(environment),
      // Attempts of the CLI for one request; an SlowDown storm of some seconds passes unnoticed.
      AWS_MAX_ATTEMPTS: '6',
      AWS_REQUEST_CHECKSUM_CALCULATION: checksum,
      AWS_RESPONSE_CHECKSUM_VALIDATION: checksum,
      ...pick(environment, (name) => AWS_VARIABLE.test(name)),
      ...config,
      AWS_PAGER: '',
      AWS_CLI_AUTO_PROMPT: 'off',
    }
  }

  #arguments(args: readonly string[]): string[] {
    const { endpointUrl } = this.#options
    return endpointUrl ? [...args, '--endpoint-url', endpointUrl] : [...args]
  }

  /** Starts a transfer with open pipes. */
  start(args: readonly string[], pipes: { stdin: 'stream' | 'none' }): Child {
    const options = { name: 'aws', env: this.#environment(), stdin: pipes.stdin, stdout: 'stream' as const }
    return startChild(this.#options.cli, this.#arguments(args), options)
  }

  /** Runs a short command and returns what it printed. @throws AwsError */
  async text(args: readonly string[], options: { evenWhenCancelled?: boolean } = {}): Promise<string> {
    const { exit, stdout, child } = await run(this.#options.cli, this.#arguments(args), {
      name: 'aws',
      env: this.#environment(),
      onErrorLine: () => false,
      ...(options.evenWhenCancelled ? {} : { signal: this.#options.signal }),
    })
    if (!succeeded(exit)) throw awsFailure(child, exit, args.slice(0, 2).join(' '))
    return stdout
  }

  /** As `text`, for commands that answer in JSON; `{}` when they answer nothing. */
  async json<Answer>(
    args: readonly string[],
    options: { evenWhenCancelled?: boolean } = {},
  ): Promise<Answer> {
    const text = await this.text([...args, '--output', 'json'], options)
    return JSON.parse(text.trim() || '{}') as Answer
  }
}

/** The error of an AWS CLI that ended badly, with the sentence that names the cause. */
export function awsFailure(child: Child, exit: Exit, what: string): AwsError {
  const { code, sentence } = explainAws(child.tail.join('\n'))
  const end = exit.error
    ? `could not be started: ${exit.error.message}`
    : (exit.signal ?? `exit code ${exit.code}`)
  return new AwsError(`aws ${what} failed (${end}): ${sentence}`, code)
}
