import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { awsVariables } from '../aws/cli.ts'
import { Role } from '../aws/role.ts'
import type { Connection } from '../database/connection/connection.ts'
import { Session } from '../database/connection/session.ts'
import type { HookOptions } from '../database/hooks.ts'
import { openMaintenance } from '../database/server.ts'
import type { Inputs } from '../inputs/inputs.ts'
import type { Environment } from '../process/environment.ts'
import { log } from '../report/log.ts'
import type { Storage } from '../storage/storage.ts'
import { currentEnvironment, type ToolOptions } from '../tools/options.ts'
import {
  anyClient,
  type PostgresClient,
  type PostgresNeed,
  provideClient,
} from '../tools/postgres/provide-client.ts'
import { openStorage } from './open-storage.ts'
import { Retries } from './retries.ts'

/** The workflow run as GitHub describes it. All texts are empty outside GitHub. */
export type WorkflowRun = { repository: string; ref: string; sha: string; runId: string; url: string }

/** The databases that the inputs name; null for one that they do not. */
export type Connections = { target: Connection | null; source: Connection | null }

/** The milliseconds and the attempts that the step has taken so far. */
export type Effort = { durationMs: number; attempts: number }

/** One run of the Action: its inputs, its surroundings, and the tools that its command asks for. */
export class Step {
  readonly inputs: Inputs
  readonly environment: Environment
  readonly workspace: string
  readonly tempDirectory: string
  readonly run: WorkflowRun
  /** The AWS role of the step, if it has one. */
  readonly role: Role
  /** With current passwords: `rds-iam-auth` writes its tokens here. */
  readonly connections: Connections
  /** Aborted when the step is cancelled or its tunnel ends. */
  signal: AbortSignal
  readonly #started = Date.now()
  readonly #retries: Retries

  /** @param cleanUp removes what a failed attempt left behind, before the next one begins */
  constructor(
    inputs: Inputs,
    environment: Environment,
    { signal, cleanUp }: { signal: AbortSignal; cleanUp: (step: Step) => Promise<void> },
  ) {
    this.inputs = inputs
    this.environment = environment
    this.workspace = resolve(environment.GITHUB_WORKSPACE || '.')
    this.tempDirectory = resolve(environment.RUNNER_TEMP || tmpdir())
    this.run = workflowRun(environment)
    this.role = new Role({
      arn: inputs.awsRole,
      sessionName: inputs.awsRoleSessionName,
      duration: inputs.awsRoleDuration,
      stsEndpoint: awsVariables(environment, inputs.s3Config).AWS_ENDPOINT_URL_STS || null,
      tempDirectory: this.tempDirectory,
      home: environment.HOME,
    })
    this.connections = { target: inputs.connection, source: inputs.sourceConnection }
    this.signal = signal
    this.#retries = new Retries(inputs.retries, () => cleanUp(this))
  }

  /** The database of `database-url`. The rules of the inputs ensure that it is given. */
  get target(): Connection {
    if (!this.connections.target) throw new Error('Input database-url is missing')
    return this.connections.target
  }

  /** The database of `source-database-url`. The rules of the inputs ensure that it is given. */
  get source(): Connection {
    if (!this.connections.source) throw new Error('Input source-database-url is missing')
    return this.connections.source
  }

  /** How to find and install programs, according to the inputs. */
  get tools(): ToolOptions {
    const { installTools, postgresVersion, downloadBaseUrl } = this.inputs
    return {
      ...{ installTools, postgresVersion, downloadBaseUrl },
      log: log.info,
      warn: log.warning,
      environment: currentEnvironment(),
      signal: this.signal,
    }
  }

  get effort(): Effort {
    return { durationMs: Date.now() - this.#started, attempts: this.#retries.made }
  }

  /** Options for hooks and assertions. */
  hookOptions({ psql }: PostgresClient): HookOptions {
    return { psql, environment: this.environment, workspace: this.workspace, signal: this.signal }
  }

  /** Opens the storage of the dumps. A folder that is missing or a bucket that refuses shows at its first use. */
  storage(): Promise<Storage> {
    return openStorage(this)
  }

  /** Returns the client programs that fit a server. */
  client(need: PostgresNeed): Promise<PostgresClient> {
    return provideClient(need, this.tools)
  }

  /**
   * Opens a session that ends when the step is cancelled.
   *
   * @param options.direct refuses a pooler in transaction mode, as a session must that holds a lock
   */
  async session(connection: Connection, options: { direct?: boolean } = {}): Promise<Session> {
    const { psql } = await anyClient(this.tools)
    return Session.open(connection, { psql, environment: this.environment, signal: this.signal, ...options })
  }

  /**
   * Opens a session on the target's maintenance database. A cancel does not end it, because it cleans up after one.
   *
   * @param options.direct refuses a pooler in transaction mode, as a session must that holds a lock
   */
  async maintenance(options: { direct?: boolean } = {}): Promise<Session> {
    const { psql } = await anyClient(this.tools)
    const session = { psql, environment: this.environment, ...options }
    return openMaintenance(this.target, this.inputs.maintenanceDatabase, session)
  }

  /** Does work, and repeats it from the start after a transient failure as often as `retries` allows. */
  retry<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#retries.run(work, this.signal)
  }
}

function workflowRun(environment: Environment): WorkflowRun {
  const {
    GITHUB_REPOSITORY = '',
    GITHUB_REF = '',
    GITHUB_SHA = '',
    GITHUB_RUN_ID = '',
    GITHUB_SERVER_URL,
  } = environment
  const url = GITHUB_RUN_ID ? `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}` : ''
  return { repository: GITHUB_REPOSITORY, ref: GITHUB_REF, sha: GITHUB_SHA, runId: GITHUB_RUN_ID, url }
}
