import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { awsVariables } from '../aws/cli.ts'
import { Role } from '../aws/role.ts'
import type { Connection } from '../database/connection/connection.ts'
import { Session } from '../database/connection/session.ts'
import { openMaintenance } from '../database/server.ts'
import type { Inputs } from '../inputs/inputs.ts'
import type { Environment } from '../process/environment.ts'
import { log } from '../report/log.ts'
import { currentEnvironment, type ToolOptions } from '../tools/options.ts'
import { anyClient, provideClient } from '../tools/postgres/provide-client.ts'
import { openStorage } from './open-storage.ts'
import { Retries } from './retries.ts'
import type { Step, WorkflowRun } from './step.ts'

/**
 * Puts a step together from its inputs and its environment.
 *
 * @param watchAttempts returns a function that removes what the attempts since then left behind
 */
export function startStep(
  inputs: Inputs,
  environment: Environment,
  { signal, watchAttempts }: { signal: AbortSignal; watchAttempts: (step: Step) => () => Promise<void> },
): Step {
  const started = Date.now()
  const tempDirectory = resolve(environment.RUNNER_TEMP || tmpdir())
  const retries = new Retries(inputs.retries, () => watchAttempts(step))
  const anyPsql = async () => (await anyClient(step.tools)).psql
  const step: Step = {
    ...{ inputs, environment, tempDirectory, signal },
    workspace: resolve(environment.GITHUB_WORKSPACE || '.'),
    run: workflowRun(environment),
    role: roleOf(inputs, environment, tempDirectory),
    connections: { target: inputs.connection, source: inputs.sourceConnection },
    get target() {
      return given(step.connections.target, 'database-url')
    },
    get source() {
      return given(step.connections.source, 'source-database-url')
    },
    get tools() {
      return toolOptions(inputs, step.signal)
    },
    get effort() {
      return { durationMs: Date.now() - started, attempts: retries.made }
    },
    hookOptions: ({ psql }) => ({ psql, environment, workspace: step.workspace, signal: step.signal }),
    storage: () => openStorage(step),
    client: (need) => provideClient(need, step.tools),
    session: async (connection, { signal, ...options } = {}) =>
      Session.open(connection, {
        psql: await anyPsql(),
        environment,
        signal: signal ? AbortSignal.any([step.signal, signal]) : step.signal,
        ...options,
      }),
    maintenance: async (options) =>
      openMaintenance(step.target, inputs.maintenanceDatabase, {
        psql: await anyPsql(),
        environment,
        ...options,
      }),
    retry: (work) => retries.run(work, step.signal),
  }
  return step
}

function given(connection: Connection | null, input: string): Connection {
  if (!connection) throw new Error(`Input ${input} is missing`)
  return connection
}

function roleOf(inputs: Inputs, environment: Environment, tempDirectory: string): Role {
  return new Role({
    arn: inputs.awsRole,
    sessionName: inputs.awsRoleSessionName,
    duration: inputs.awsRoleDuration,
    stsEndpoint: awsVariables(environment, inputs.s3Config).AWS_ENDPOINT_URL_STS || null,
    tempDirectory,
    home: environment.HOME,
  })
}

function toolOptions(
  { installTools, postgresVersion, downloadBaseUrl }: Inputs,
  signal: AbortSignal,
): ToolOptions {
  const { info, warning: warn } = log
  const environment = currentEnvironment()
  return { installTools, postgresVersion, downloadBaseUrl, log: info, warn, environment, signal }
}

/** Returns the run that the environment describes. */
export function workflowRun(environment: Environment): WorkflowRun {
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
