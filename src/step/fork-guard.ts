import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Step } from './step.ts'

/** Every other command reads or writes the content of databases or dumps. */
const HARMLESS_COMMANDS = ['list']

type PullRequest = {
  head?: { sha?: string; repo?: { full_name?: string } | null }
  merge_commit_sha?: string | null
}

/**
 * Refuses to work in a `pull_request_target` run that checked out the code of a fork, because such a run combines the
 * secrets of the repository with hooks and files of a stranger.
 */
export async function checkFork({ inputs, environment, workspace, run }: Step): Promise<void> {
  // A config file comes from the checkout, so it must not allow the checkout.
  const allowed = inputs.force && !('force' in (inputs.namedSet?.inputs ?? {}))
  const targeted = environment.GITHUB_EVENT_NAME === 'pull_request_target'
  if (!targeted || allowed || HARMLESS_COMMANDS.includes(inputs.command)) return
  const event = JSON.parse(await readFile(environment.GITHUB_EVENT_PATH ?? '', 'utf8')) as {
    pull_request?: PullRequest
  }
  const pull = event.pull_request
  const fork = pull?.head?.repo?.full_name
  if (fork === run.repository) return
  for (const folder of await checkouts(workspace)) {
    if (await isForeign(folder, pull ?? {}, fork)) throw new Error(refusal(inputs.command))
  }
}

function refusal(command: string): string {
  return `This pull_request_target run checked out the code of a fork, which must not decide what ${command} does to your databases. Use pull_request, do not check out the fork, or set force: true`
}

/** Returns the workspace and its folders, into which `path` of `actions/checkout` puts other repositories. */
async function checkouts(workspace: string): Promise<string[]> {
  const entries = await readdir(workspace, { withFileTypes: true }).catch(() => [])
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(workspace, name))
  return [workspace, ...folders]
}

/** Recognizes what `actions/checkout` leaves: a detached HEAD, the fork as origin, or a ref of the pull request. */
async function isForeign(
  folder: string,
  { head, merge_commit_sha }: PullRequest,
  fork: string | undefined,
): Promise<boolean> {
  const commit = await checkedOutCommit(folder)
  if (commit === null) return false
  if (commit !== '' && [head?.sha, merge_commit_sha].includes(commit)) return true
  const config = await readFile(join(folder, '.git', 'config'), 'utf8').catch(() => '')
  if (fork && new RegExp(`[/:]${fork}(\\.git)?\\s*$`, 'im').test(config)) return true
  const pulls = await readdir(join(folder, '.git', 'refs', 'remotes', 'pull')).catch(() => [])
  return pulls.length > 0
}

/** @returns null when there is no checkout, and an empty text when the commit of its HEAD cannot be read */
async function checkedOutCommit(folder: string): Promise<string | null> {
  const head = await readFile(join(folder, '.git', 'HEAD'), 'utf8').catch(() => null)
  if (head === null) return null
  const reference = /^ref: (.+)$/m.exec(head)?.[1]
  if (!reference) return head.trim()
  return (await readFile(join(folder, '.git', reference), 'utf8').catch(() => '')).trim()
}
