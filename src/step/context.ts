import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { Role } from '../aws/role.ts'
import type { Inputs } from '../inputs/inputs.ts'
import type { Environment } from '../process/environment.ts'

/** The workflow run that we are part of, as GitHub describes it. Empty texts outside of GitHub. */
type WorkflowRun = { repository: string; ref: string; sha: string; runId: string; url: string }

/** What every command needs: the inputs and the edge of the world, read once. */
export type Context = Readonly<{
  inputs: Inputs
  environment: Environment
  workspace: string
  tempDirectory: string
  run: WorkflowRun
  /** The AWS role of the step, if it has one. */
  role: Role
  /** Aborted when the step is cancelled. */
  signal: AbortSignal
}>

/** The context of a step, from its inputs and the runner's variables. */
export function makeContext(inputs: Inputs, environment: Environment, signal: AbortSignal): Context {
  const tempDirectory = resolve(environment.RUNNER_TEMP || tmpdir())
  return {
    inputs,
    environment,
    workspace: resolve(environment.GITHUB_WORKSPACE || '.'),
    tempDirectory,
    run: workflowRun(environment),
    role: new Role({
      arn: inputs.awsRole,
      sessionName: inputs.awsRoleSessionName,
      duration: inputs.awsRoleDuration,
      tempDirectory,
      home: environment.HOME,
    }),
    signal,
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
