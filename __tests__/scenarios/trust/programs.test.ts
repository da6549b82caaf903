import assert from 'node:assert/strict'
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { runAction } from '../../../lab/runner/action.ts'
import { startS3 } from '../../../lab/s3/s3.ts'
import { tempFolder } from '../../../lab/temp.ts'

const skip = process.getuid?.() === 0 ? false : 'only root can make folders of another user'
/** A user that is neither root nor the one of the step. */
const OTHER = 65_534
const ARCHITECTURE = process.arch

/** Plants an AWS CLI that would be the newest, and that leaves a trace when it is started. */
function plant(directory: string, trace: string): string {
  const program = join(directory, 'pgclone-action/aws-cli/2.99.0', ARCHITECTURE, 'aws/dist/aws')
  mkdirSync(dirname(program), { recursive: true })
  writeFileSync(program, `#!/bin/sh\necho started >> '${trace}'\necho aws-cli/2.99.0 Python/3.14.0\n`)
  chmodSync(program, 0o755)
  return program
}

type Folders = { cache: string; temp: string; system: string }

/** Where a program is planted, and how it becomes one that the step must not trust. */
const PLANTED: [string, (folders: Folders) => string, (program: string) => void][] = [
  [
    "in the system's temporary folder, which every user can write",
    ({ system }) => system,
    (program) => chownSync(program, OTHER, OTHER),
  ],
  ["in the system's temporary folder, even by this user", ({ system }) => system, () => undefined],
  ['in the tool cache by another user', ({ cache }) => cache, (program) => chownSync(program, OTHER, OTHER)],
  [
    'in a folder of the tool cache that belongs to another user',
    ({ cache }) => cache,
    (program) => chownSync(join(dirname(program), '../../../../..'), OTHER, OTHER),
  ],
  [
    "in the runner's temporary folder, writable for everybody",
    ({ temp }) => temp,
    (program) => chmodSync(dirname(program), 0o777),
  ],
]

for (const [name, place, spoil] of PLANTED) {
  test(`#48 an AWS CLI that was planted ${name} is never started`, { skip }, async () => {
    await using home = tempFolder('planted')
    await using s3 = await startS3()
    const at = (folder: string) => join(home.path, folder)
    const folders = { cache: at('cache'), temp: at('temp'), system: at('tmp') }
    for (const folder of Object.values(folders)) mkdirSync(folder)
    chmodSync(folders.system, 0o1777)
    const trace = at('trace')
    spoil(plant(place(folders), trace))
    const inputs = {
      command: 'list',
      'install-tools': 'never',
      'storage-location': `s3://${s3.bucket}/nightly/`,
      's3-endpoint-url': s3.endpoint,
      's3-config': s3.config,
    }
    const env = { RUNNER_TOOL_CACHE: folders.cache, RUNNER_TEMP: folders.temp, TMPDIR: folders.system }
    const run = await runAction(inputs, { env })
    assert.equal(run.exitCode, 0, run.log)
    assert.equal(existsSync(trace), false, run.log)
    assert.match(run.visibleLog, /^AWS CLI \d+\.\d+\.\d+ \(/m)
  })
}

test('#48 one that this user put into the tool cache is used', async () => {
  await using home = tempFolder('planted')
  await using s3 = await startS3()
  const trace = join(home.path, 'trace')
  plant(home.path, trace)
  const inputs = {
    command: 'list',
    'install-tools': 'never',
    'storage-location': `s3://${s3.bucket}/nightly/`,
    's3-endpoint-url': s3.endpoint,
    's3-config': s3.config,
  }
  await runAction(inputs, { env: { RUNNER_TOOL_CACHE: home.path } })
  assert.ok(existsSync(trace))
})
