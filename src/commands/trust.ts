import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'

const WRITES = ['restore', 'copy', 'drop', 'prune']

type PullRequest = { head?: { sha?: string; repo?: { full_name?: string } | null } }

/**
 * Refuses to write in a `pull_request_target` run that checked out the code of a fork: such a run has the secrets of
 * the repository, and hooks and files of somebody who has none.
 */
export async function checkTrust({ inputs, environment, workspace, run }: Context): Promise<void> {
  if (
    environment.GITHUB_EVENT_NAME !== 'pull_request_target' ||
    inputs.force ||
    !WRITES.includes(inputs.command)
  )
    return
  const event = JSON.parse(await readFile(environment.GITHUB_EVENT_PATH ?? '', 'utf8')) as {
    pull_request?: PullRequest
  }
  const head = event.pull_request?.head
  const fork = head?.repo?.full_name !== run.repository
  if (!fork || (await checkedOutCommit(workspace)) !== head?.sha) return
  throw new Error(
    `This pull_request_target run checked out the code of a fork, which must not decide what ${inputs.command} does to your databases. Use pull_request, do not check out the fork, or set force: true`,
  )
}

/** What `actions/checkout` left: a detached HEAD holds the commit itself. */
async function checkedOutCommit(workspace: string): Promise<string | null> {
  const head = await readFile(join(workspace, '.git', 'HEAD'), 'utf8').catch(() => null)
  if (head === null) return null
  const reference = /^ref: (.+)$/m.exec(head)?.[1]
  if (!reference) return head.trim()
  return (await readFile(join(workspace, '.git', reference), 'utf8').catch(() => ''))?.trim()
}
