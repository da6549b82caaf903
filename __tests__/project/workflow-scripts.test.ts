/** The scripts of our own workflows, run here with `gh` replaced, because a mistake in them shows only on GitHub. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../lab/runner/action-inputs.ts'
import { readWorkflow } from '../../lab/runner/workflows.ts'
import { tempFolder } from '../../lab/temp.ts'

/** The script of a step, found by its name. */
function scriptOf(file: string, job: string, name: string): string {
  const step = readWorkflow(`.github/workflows/${file}`).jobs[job]!.steps.find((step) => step.name === name)
  return step!.run!
}

/** Runs a script as the runner does. @param gh a shell function body in the place of GitHub's CLI */
function run(script: string, cwd: string, env: Record<string, string>, gh = ':') {
  const text = `gh() { ${gh}\n}\n${script}`
  const all = { PATH: process.env.PATH!, ...env }
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', text], {
    cwd,
    env: all,
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

test('the notes of a release are its section of the changelog, and a release without one fails', async () => {
  await using temp = tempFolder('release')
  const script = scriptOf('release.yml', 'release', 'Make the release')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const env = { GITHUB_REF_NAME: `v${version}`, RUNNER_TEMP: temp.path }
  const { status, output } = run(script, root, env)
  assert.equal(status, 0, output)
  const notes = readFileSync(join(temp.path, 'notes.md'), 'utf8')
  assert.match(notes, /manifest/)
  assert.doesNotMatch(notes, /^## /m)
  assert.notEqual(run(script, root, { ...env, GITHUB_REF_NAME: 'v99.0.0' }).status, 0)
})

for (const [file, job] of [
  ['ci.yml', 'gate'],
  ['e2e.yml', 'gate'],
] as const)
  test(`the gate of ${file} opens only when every job succeeded`, () => {
    const script = scriptOf(file, job, 'Every job succeeded')
    const passes = (RESULTS: string) => run(script, root, { RESULTS }).status === 0
    assert.ok(passes('success success'))
    for (const results of ['success failure', 'cancelled success', 'skipped', ''])
      assert.ok(!passes(results), results)
  })

test('a rebuilt bundle is copied by the names of its files, and a link is refused', async () => {
  await using temp = tempFolder('dist')
  const script = scriptOf('commit-dist.yml', 'commit', 'Copy the files of the bundle')
  const built = join(temp.path, 'dist')
  const checkout = join(temp.path, 'checkout')
  for (const folder of [built, checkout]) mkdirSync(folder)
  cpSync(join(root, 'dist'), join(checkout, 'dist'), { recursive: true })
  for (const name of ['index.js', 'licenses.txt', 'other.js']) writeFileSync(join(built, name), 'new')
  const env = { RUNNER_TEMP: temp.path, RUN_ID: '1' }

  symlinkSync('/etc/hostname', join(built, 'package.json'))
  assert.notEqual(run(script, checkout, env).status, 0)

  const { status, output } = run(
    script,
    checkout,
    env,
    'rm "$RUNNER_TEMP/dist/package.json"; echo "{}" > "$RUNNER_TEMP/dist/package.json"',
  )
  assert.equal(status, 0, output)
  assert.equal(readFileSync(join(checkout, 'dist/index.js'), 'utf8'), 'new')
  assert.ok(!existsSync(join(checkout, 'dist/other.js')))
})

test('a push to a branch of Dependabot starts the checks, and an unchanged bundle does not', async () => {
  await using temp = tempFolder('push')
  const script = scriptOf('commit-dist.yml', 'commit', 'Commit and push')
  const upstream = join(temp.path, 'upstream')
  const checkout = join(temp.path, 'checkout')
  const env = { HOME: temp.path, GIT_CONFIG_NOSYSTEM: '1', BRANCH: 'dependabot/npm/x' }
  const prepare = `
    git init --quiet --bare ${upstream}; git clone --quiet ${upstream} ${checkout} 2>&1; cd ${checkout}
    git config user.name Test; git config user.email test@example.com
    mkdir dist; echo old > dist/index.js; git add dist; git commit --quiet -m First`
  assert.equal(run(prepare, temp.path, env).status, 0)
  const calls = join(temp.path, 'calls')
  const record = `echo "$*" >> ${calls}`

  assert.match(run(script, checkout, env, record).output, /unchanged/)
  assert.ok(!existsSync(calls))

  writeFileSync(join(checkout, 'dist/index.js'), 'new')
  const { status, output } = run(script, checkout, env, record)
  assert.equal(status, 0, output)
  assert.match(readFileSync(calls, 'utf8'), /workflow run ci\.yml --ref dependabot\/npm\/x\n.*e2e\.yml/)
  const pushed = run('git log -1 --format=%s dependabot/npm/x', upstream, env)
  assert.equal(pushed.output.trim(), 'Rebuild dist/ [dependabot skip]')
})
