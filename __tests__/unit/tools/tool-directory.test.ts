import assert from 'node:assert/strict'
import { chmodSync, chownSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fakeMachine, type Machine } from '../../../lab/tools/fake-machine.ts'
import {
  moveIntoPlace,
  programsInToolDirectories,
  toolDirectories,
  withStaging,
} from '../../../src/tools/tool-directory.ts'

const skip = process.getuid?.() === 0 ? false : 'only root can make folders of another user'
/** A user that is neither root nor this one. */
const OTHER = 65_534

const found = (machine: Machine) => programsInToolDirectories(machine.options.environment, ['aws-cli/*/aws'])
const plant = (machine: Machine) => machine.program('tools/pgclone-action/aws-cli/2.99.0/aws', 'exit 0')

test('the folders that the runner names are used, and the temporary folder only where it names none', () => {
  const of = (env: Record<string, string>) => toolDirectories({ ...process, env, root: '/', isRoot: false })
  assert.deepEqual(of({ RUNNER_TOOL_CACHE: '/c', RUNNER_TEMP: '/t' }), [
    '/c/pgclone-action',
    '/t/pgclone-action',
  ])
  assert.deepEqual(of({ RUNNER_TOOL_CACHE: '', RUNNER_TEMP: '/t' }), ['/t/pgclone-action'])
  assert.deepEqual(of({}), [join(tmpdir(), 'pgclone-action')])
})

test('a program that this user put there is found', async () => {
  await using machine = fakeMachine()
  const program = plant(machine)
  assert.deepEqual(await found(machine), [program])
})

/** What makes a program one of somebody else. */
const FOREIGN: [string, (program: string) => void][] = [
  ['is of another user', (program) => chownSync(program, OTHER, OTHER)],
  ['is in a folder of another user', (program) => chownSync(dirname(program), OTHER, OTHER)],
  ['is below a folder of another user', (program) => chownSync(join(program, '../../..'), OTHER, OTHER)],
  ['can be written by a group', (program) => chmodSync(program, 0o775)],
  ['is in a folder that everybody can write', (program) => chmodSync(dirname(program), 0o777)],
  ['can be replaced by everybody', (program) => chmodSync(join(program, '../../../..'), 0o777)],
]

for (const [name, change] of FOREIGN) {
  test(`a program that ${name} is not`, { skip }, async () => {
    await using machine = fakeMachine()
    const program = plant(machine)
    change(program)
    assert.deepEqual(await found(machine), [])
  })
}

test('a link that leads out of the tool directory is not followed', async () => {
  await using machine = fakeMachine()
  const elsewhere = machine.program('elsewhere/aws', 'exit 0')
  mkdirSync(join(machine.root, 'tools/pgclone-action/aws-cli/2.99.0'), { recursive: true })
  symlinkSync(elsewhere, join(machine.root, 'tools/pgclone-action/aws-cli/2.99.0/aws'))
  assert.deepEqual(await found(machine), [])
})

test('nothing is downloaded into a folder that another user controls', { skip }, async () => {
  await using machine = fakeMachine()
  const { environment } = machine.options
  const staging = () => withStaging(environment, async (_, directory) => directory)
  mkdirSync(join(machine.root, 'tools/pgclone-action'), { recursive: true })
  chownSync(join(machine.root, 'tools/pgclone-action'), OTHER, OTHER)
  await assert.rejects(staging(), /tools\/pgclone-action belongs to another user .*; remove it, or make it/)
  chmodSync(join(machine.root, 'tools'), 0o777)
  await assert.rejects(staging(), /every user can replace .*; make .*\/tools writable for its owner only/)
  environment.env.RUNNER_TEMP = join(machine.root, 'temp')
  assert.equal(await staging(), join(machine.root, 'temp/pgclone-action'))
})

test('what is moved into place can be changed by its owner only, whatever the umask', async () => {
  await using machine = fakeMachine()
  const before = process.umask(0)
  try {
    const home = await withStaging(machine.options.environment, async (folder, directory) => {
      assert.equal(statSync(folder).mode & 0o777, 0o700)
      mkdirSync(join(folder, 'unpacked'), { mode: 0o755 })
      writeFileSync(join(folder, 'unpacked/aws'), '', { mode: 0o755 })
      await moveIntoPlace(join(folder, 'unpacked'), join(directory, 'aws-cli/2.38.1'))
      return join(directory, 'aws-cli/2.38.1')
    })
    for (const path of [join(home, '../..'), join(home, '..'), home]) {
      assert.equal(statSync(path).mode & 0o022, 0, path)
    }
    assert.ok(existsSync(join(home, 'aws')))
  } finally {
    process.umask(before)
  }
})
