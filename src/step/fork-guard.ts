import { readdir, readFile } from 'node:fs/promises'
import type { Inputs } from '../inputs/inputs.ts'
import { findCheckouts, readCheckout } from './checkouts.ts'
import type { Step } from './step.ts'

/** Every other command reads or writes the content of databases or dumps. */
const HARMLESS_COMMANDS = ['list']

type Event = {
  pull_request?: {
    head?: { repo?: { full_name?: string } | null }
    base?: { sha?: string; ref?: string }
  }
  repository?: { default_branch?: string }
}

/** What the code of the base repository is recognized by. */
type Base = { commits: readonly string[]; origins: readonly string[]; branches: readonly string[] }

/**
 * Refuses to work in a `pull_request_target` run for a fork unless every checkout in the workspace is known to be the
 * code of the base repository, because such a run combines the secrets of the repository with hooks and files of its
 * workspace.
 */
export async function checkFork({ inputs, environment, workspace, run }: Step): Promise<void> {
  // A config file comes from the checkout, so it must not allow the checkout.
  const allowed = inputs.force && !('force' in (inputs.namedSet?.inputs ?? {}))
  const targeted = environment.GITHUB_EVENT_NAME === 'pull_request_target'
  if (!targeted || allowed || HARMLESS_COMMANDS.includes(inputs.command)) return
  const event = JSON.parse(await readFile(environment.GITHUB_EVENT_PATH ?? '', 'utf8')) as Event
  if (event.pull_request?.head?.repo?.full_name === run.repository) return
  const base = baseOf(event, run, environment.GITHUB_SERVER_URL ?? '')
  const refuse = (reason: string) => new Error(refusal(inputs.command, run.repository, reason))
  const checkouts = await findCheckouts(workspace).catch((error: Error) =>
    Promise.reject(refuse(error.message)),
  )
  for (const folder of checkouts) {
    if (!(await isBase(folder, base))) throw refuse(`"${folder}" is a git checkout of something else`)
  }
  // Without git, actions/checkout downloads the files alone.
  if (checkouts.length === 0 && runsFiles(inputs) && !(await isEmpty(workspace)))
    throw refuse('the workspace has files but no git checkout that says where they come from')
}

function refusal(command: string, repository: string, reason: string): string {
  return `This pull_request_target run is for a fork, whose code must not decide what ${command} does to your databases, and only code that is known to come from ${repository} is accepted: ${reason}. Use pull_request, or check out only ${repository}, without ref and submodules, or set force: true`
}

function baseOf(event: Event, { repository, sha }: Step['run'], serverUrl: string): Base {
  const host = URL.canParse(serverUrl) ? new URL(serverUrl).hostname : ''
  const texts = (all: (string | undefined)[]) =>
    all.filter((text) => text !== undefined && text !== '') as string[]
  return {
    commits: texts([sha, event.pull_request?.base?.sha]),
    origins: [
      `${serverUrl}/${repository}`,
      `git@${host}:${repository}`,
      `ssh://git@${host}/${repository}`,
    ].map((url) => url.toLowerCase()),
    branches: texts([event.pull_request?.base?.ref, event.repository?.default_branch]),
  }
}

/**
 * A commit is known by its number, which no other code can have, or as the tip of a branch of the base repository. Refs
 * with other names prove nothing: `git fetch` can store a pull request under them.
 */
async function isBase(folder: string, { commits, origins, branches }: Base): Promise<boolean> {
  const { commit, origin, fetched } = await readCheckout(folder)
  if (commit === null) return false
  if (commits.includes(commit)) return true
  if (origin === null || !origins.includes(origin.toLowerCase().replace(/(\.git)?\/?$/, ''))) return false
  const tips = await Promise.all(branches.map(fetched))
  return tips.includes(commit)
}

/** Whether inputs may make the step run files of the workspace. */
function runsFiles({ namedSet, preDumpHooks, preSwapHooks, verifySql, tunnelCommand }: Inputs): boolean {
  return (
    namedSet !== null || tunnelCommand !== '' || [preDumpHooks, preSwapHooks, verifySql].flat().length > 0
  )
}

async function isEmpty(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [])).length === 0
}
