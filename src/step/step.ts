import type { Role } from '../aws/role.ts'
import type { Connection } from '../database/connection/connection.ts'
import type { Session } from '../database/connection/session.ts'
import type { HookOptions } from '../database/hooks.ts'
import type { Inputs } from '../inputs/inputs.ts'
import type { Environment } from '../process/environment.ts'
import type { Storage } from '../storage/storage.ts'
import type { ToolOptions } from '../tools/options.ts'
import type { PostgresClient, PostgresNeed } from '../tools/postgres/provide-client.ts'

/** The workflow run as GitHub describes it. All texts are empty outside GitHub. */
export type WorkflowRun = { repository: string; ref: string; sha: string; runId: string; url: string }

/** The databases that the inputs name; null for one that they do not. */
export type Connections = { target: Connection | null; source: Connection | null }

/** The milliseconds and the attempts that the step has taken so far. */
type Effort = { durationMs: number; attempts: number }

/** One run of the Action: its inputs, its surroundings, and the tools that a command can ask for. */
export interface Step {
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
  /** The database of `database-url`. The rules of the inputs ensure that it is given. */
  readonly target: Connection
  /** The database of `source-database-url`. The rules of the inputs ensure that it is given. */
  readonly source: Connection
  /** How to find and install programs, according to the inputs. */
  readonly tools: ToolOptions
  readonly effort: Effort
  /** Returns the options for hooks and assertions. */
  hookOptions(client: PostgresClient): HookOptions
  /** Opens the storage of the dumps. A folder that is missing or a bucket that refuses shows at its first use. */
  storage(): Promise<Storage>
  /** Returns the client programs that fit a server. */
  client(need: PostgresNeed): Promise<PostgresClient>
  /** Opens a session that ends when the step is cancelled, or when the signal of the options says so. */
  session(connection: Connection, options?: SessionNeed): Promise<Session>
  /** Opens a session on the target's maintenance database. A cancel does not end it, because it cleans up after one. */
  maintenance(options?: SessionNeed & { keepsTarget?: boolean }): Promise<Session>
  /** Does work, and repeats it from the start after a transient failure as often as `retries` allows. */
  retry<Result>(work: () => Promise<Result>): Promise<Result>
}

/** `keepsTarget` allows a session on the target itself. `direct` refuses a pooler in transaction mode. `readsRows`: see Session. */
type SessionNeed = { direct?: boolean; readsRows?: boolean; signal?: AbortSignal }
