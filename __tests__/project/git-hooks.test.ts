import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../lab/runner/action-inputs.ts'
import { tempFolder } from '../../lab/temp.ts'

/** What the hooks read. */
const FILES = [
  ...['.githooks', 'action.yml', 'biome.json', 'package.json', 'README.md'],
  ...['docs/inputs.md', 'scripts/docs.ts', 'src/inputs/defaults.ts'],
]

/** Runs a program without the settings of git that this machine has, and outside of CI. */
function run(cwd: string, program: string, ...args: string[]): { status: number | null; output: string } {
  const env = {
    PATH: process.env.PATH,
    HOME: cwd,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.com',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.com',
  }
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, env, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

/** A folder with the files that the hooks read. */
function sources(folder: string): string {
  for (const path of FILES) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    cpSync(join(root, path), join(folder, path), { recursive: true })
  }
  return folder
}

/** A clone after `npm ci`. */
function clone(folder: string): string {
  run(folder, 'git', 'init', '--quiet')
  sources(folder)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, '.gitignore'), 'node_modules\n')
  assert.equal(run(folder, 'sh', '.githooks/install').status, 0)
  run(folder, 'git', 'add', '--all')
  return folder
}

const hooksPath = (folder: string) => run(folder, 'git', 'config', 'core.hooksPath').output.trim()

test('the hooks of a clone are found after its installation, and a path that was chosen before stays', async () => {
  await using temp = tempFolder('hooks')
  clone(temp.path)
  assert.equal(hooksPath(temp.path), '.githooks')
  run(temp.path, 'git', 'config', 'core.hooksPath', 'mine')
  run(temp.path, 'sh', '.githooks/install')
  assert.equal(hooksPath(temp.path), 'mine')
})

test('sources that are not a checkout leave the repository around them as it is', async () => {
  await using temp = tempFolder('hooks')
  run(temp.path, 'git', 'init', '--quiet')
  const unpacked = sources(join(temp.path, 'vendor/pgclone-action'))
  assert.equal(run(unpacked, 'sh', '.githooks/install').status, 0)
  assert.equal(hooksPath(temp.path), '')
})

test('a commit with a file that is not formatted, or without the generated documentation, is refused', async () => {
  await using temp = tempFolder('hooks')
  const folder = clone(temp.path)
  const commit = () => run(folder, 'git', 'commit', '--quiet', '--message', 'Try')
  const first = commit()
  assert.equal(first.status, 0, first.output)

  writeFileSync(join(folder, 'new.ts'), 'export const text = "double";\n')
  run(folder, 'git', 'add', 'new.ts')
  const unformatted = commit()
  assert.notEqual(unformatted.status, 0)
  assert.match(unformatted.output, /new\.ts/)

  run(folder, 'git', 'rm', '--cached', '--quiet', 'new.ts')
  const action = join(folder, 'action.yml')
  writeFileSync(action, readFileSync(action, 'utf8').replace('Write a job summary.', 'Write a summary.'))
  run(folder, 'git', 'add', 'action.yml')
  const undocumented = commit()
  assert.notEqual(undocumented.status, 0)
  assert.match(undocumented.output, /docs\/inputs\.md is out of date/)
})

test('a commit before npm ci is let through, and says that it was not checked', async () => {
  await using temp = tempFolder('hooks')
  const folder = clone(temp.path)
  rmSync(join(folder, 'node_modules'))
  const { status, output } = run(folder, 'git', 'commit', '--quiet', '--message', 'Try')
  assert.equal(status, 0, output)
  assert.match(output, /run npm ci/)
})
