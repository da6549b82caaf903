import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { tempFolder } from '../../../lab/temp.ts'
import { readInputs } from '../../../src/inputs/read-inputs.ts'
import type { Environment } from '../../../src/process/environment.ts'
import { checkFork } from '../../../src/step/fork-guard.ts'
import { startStep } from '../../../src/step/start-step.ts'

const REFUSED = /for a fork, whose code must not decide what drop does to your databases/
const BASE_URL = 'https://github.com/acme/shop'
const FORK_URL = 'https://github.com/stranger/shop'

const home = tempFolder('git').path
const upstream = join(home, 'upstream')
/** Commits of the base branch before, at and after the event, and of the fork at the event and pushed later. */
let commits: { old: string; base: string; newer: string; head: string; pushed: string }

function git(folder: string, ...args: string[]): string {
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
  }
  const identity = ['-c', 'user.name=A', '-c', 'user.email=a@example.com', '-c', 'protocol.file.allow=always']
  return execFileSync('git', ['-C', folder, ...identity, ...args], {
    env,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim()
}

function commit(text: string): string {
  writeFileSync(join(upstream, 'hook.sh'), text)
  git(upstream, 'add', '--all')
  git(upstream, 'commit', '--quiet', '--message', text)
  return git(upstream, 'rev-parse', 'HEAD')
}

before(() => {
  mkdirSync(upstream)
  git(upstream, 'init', '--quiet', '--initial-branch', 'main')
  git(upstream, 'config', 'uploadpack.allowAnySHA1InWant', 'true')
  const [old, base, newer] = [commit('old'), commit('base'), commit('newer')]
  git(upstream, 'checkout', '--quiet', '-b', 'theirs', base)
  const [head, pushed] = [commit('head'), commit('pushed')]
  git(upstream, 'update-ref', 'refs/pull/7/head', pushed)
  git(upstream, 'checkout', '--quiet', 'main')
  commits = { old, base, newer, head, pushed }
})

/** Checks out as actions/checkout does: fetches one commit into a ref, and switches to a branch or detaches HEAD. */
function checkout(
  folder: string,
  wanted: { commit: string; ref?: string; branch?: string; url?: string },
): string {
  const { commit, ref, branch, url = BASE_URL } = wanted
  mkdirSync(folder, { recursive: true })
  git(folder, 'init', '--quiet')
  git(folder, 'remote', 'add', 'origin', url)
  git(folder, 'fetch', '--quiet', '--depth=1', '--no-tags', upstream, ref ? `+${commit}:${ref}` : commit)
  git(
    folder,
    'checkout',
    '--quiet',
    '--force',
    ...(branch ? ['-B', branch] : ['--detach']),
    ref ?? 'FETCH_HEAD',
  )
  return folder
}

/** What `actions/checkout` without inputs leaves in a pull_request_target run. */
function usual(folder: string, commit = commits.base): string {
  return checkout(folder, { commit, ref: 'refs/remotes/origin/main', branch: 'main' })
}

function eventOf(from: string | null): Environment {
  const file = join(tempFolder('event').path, 'event.json')
  const head = { sha: commits.head, repo: from === null ? null : { full_name: from } }
  const pull_request = { head, base: { sha: commits.old, ref: 'main' } }
  writeFileSync(file, JSON.stringify({ pull_request, repository: { default_branch: 'main' } }))
  return { GITHUB_EVENT_NAME: 'pull_request_target', GITHUB_EVENT_PATH: file, GITHUB_SHA: commits.base }
}

type Case = [what: string, prepare: (workspace: string) => void]

const known: Case[] = [
  ['nothing', () => undefined],
  ['files that no input runs', (workspace) => writeFileSync(join(workspace, 'dump'), '')],
  ['the base branch', (workspace) => usual(workspace)],
  ['the base branch with packed refs', (workspace) => git(usual(workspace), 'pack-refs', '--all')],
  ['the base branch in a folder', (workspace) => usual(join(workspace, 'a/b'))],
  ['the newer tip of the base branch', (workspace) => usual(workspace, commits.newer)],
  ['the base of the event', (workspace) => checkout(workspace, { commit: commits.old })],
  [
    'a worktree of the base',
    (workspace) => git(usual(workspace), 'worktree', 'add', '--quiet', 'tree', 'HEAD'),
  ],
  ['a link to the base', (workspace) => symlinkSync(usual(join(workspace, 'base')), join(workspace, 'link'))],
]

const unknown: Case[] = [
  ["the event's head", (workspace) => checkout(workspace, { commit: commits.head })],
  ['a push after the event', (workspace) => checkout(workspace, { commit: commits.pushed })],
  [
    'the ref of the pull request',
    (workspace) => checkout(workspace, { commit: commits.pushed, ref: 'refs/remotes/pull/7/head' }),
  ],
  [
    'a pull request fetched as a branch of origin',
    (workspace) => checkout(workspace, { commit: commits.pushed, ref: 'refs/remotes/origin/pr/7' }),
  ],
  [
    'the main branch of the fork',
    (workspace) =>
      checkout(workspace, {
        ...{ commit: commits.pushed, ref: 'refs/remotes/origin/main', branch: 'main' },
        url: FORK_URL,
      }),
  ],
  [
    'a merge into the base',
    (workspace) =>
      git(
        usual(workspace),
        'pull',
        '--quiet',
        '--no-rebase',
        '--no-edit',
        '--allow-unrelated-histories',
        '-X',
        'theirs',
        upstream,
        'theirs',
      ),
  ],
  [
    'a nested path beside the base',
    (workspace) => checkout(join(usual(workspace), 'a/b/c'), { commit: commits.pushed }),
  ],
  [
    'a worktree',
    (workspace) => {
      git(usual(workspace), 'fetch', '--quiet', upstream, 'theirs')
      git(workspace, 'worktree', 'add', '--quiet', '--detach', 'a/tree', 'FETCH_HEAD')
    },
  ],
  ['a link to a checkout elsewhere', (workspace) => symlinkSync(elsewhere(), join(usual(workspace), 'pr'))],
  [
    'a link to one of its files',
    (workspace) => symlinkSync(join(elsewhere(), 'hook.sh'), join(workspace, 'hook.sh')),
  ],
  [
    'a link to one of its folders',
    (workspace) => {
      const inner = join(elsewhere(), 'inner')
      mkdirSync(inner)
      symlinkSync(inner, join(workspace, 'inner'))
    },
  ],
  ['a repository whose HEAD cannot be read', (workspace) => mkdirSync(join(workspace, '.git'))],
]

function elsewhere(): string {
  return checkout(join(tempFolder('elsewhere').path, 'pr'), { commit: commits.pushed })
}

function workspaceOf([, prepare]: Case): string {
  const workspace = join(tempFolder('workspace').path, 'shop')
  mkdirSync(workspace)
  prepare(workspace)
  return workspace
}

/** Asks the guard of a step, as the action does before it starts anything. */
async function check(workspace: string, event: Environment, inputs: Environment = {}): Promise<void> {
  const environment = {
    ...{ GITHUB_REPOSITORY: 'acme/shop', GITHUB_SERVER_URL: 'https://github.com' },
    ...{ GITHUB_WORKSPACE: workspace, ...event },
  }
  const { signal } = new AbortController()
  const given = readInputs({
    INPUT_COMMAND: 'drop',
    'INPUT_DATABASE-URL': 'postgres://db/missing',
    ...inputs,
  })
  await checkFork(startStep(given, environment, { signal, watchAttempts: () => async () => {} }))
}

test('#47 pull_request_target for a fork runs with what is known to be the code of the base repository', async () => {
  for (const one of known) {
    const workspace = workspaceOf(one)
    for (const from of ['stranger/shop', null])
      await assert.doesNotReject(check(workspace, eventOf(from)), one[0])
  }
})

test('#47 pull_request_target for a fork refuses every checkout that is not known', async () => {
  for (const one of unknown)
    await assert.rejects(check(workspaceOf(one), eventOf('stranger/shop')), REFUSED, one[0])
})

test('#47 a fork whose repository was deleted stays a fork; the pull request of a branch and other events do not ask', async () => {
  const workspace = elsewhere()
  await assert.rejects(check(workspace, eventOf(null)), REFUSED)
  await check(workspace, eventOf(null), { INPUT_FORCE: 'true' })
  await check(workspace, eventOf(null), { INPUT_COMMAND: 'list' })
  await check(workspace, eventOf('acme/shop'))
  await check(workspace, { ...eventOf('stranger/shop'), GITHUB_EVENT_NAME: 'pull_request' })
})

test('#47 pull_request_target for a fork runs no files that came without git', async () => {
  const workspace = tempFolder('workspace').path
  writeFileSync(join(workspace, 'hook.sh'), '')
  const hooks = {
    INPUT_COMMAND: 'restore',
    'INPUT_DUMP-KEY': 'latest',
    'INPUT_STORAGE-LOCATION': '/dumps',
    'INPUT_PRE-SWAP-HOOKS': 'sh hook.sh',
  }
  await assert.rejects(check(workspace, eventOf('stranger/shop'), hooks), /has files but no git checkout/)
  await check(workspace, eventOf('stranger/shop'))
})
