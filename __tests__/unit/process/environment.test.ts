import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hookEnvironment, toolEnvironment } from '../../../src/process/environment.ts'

/** What a job may have, and nobody but its owner should see. */
const PRIVATE = {
  PGPASSWORD: 'root',
  PGHOSTADDR: '192.0.2.1',
  AWS_SECRET_ACCESS_KEY: 'x',
  'INPUT_DATABASE-URL': 'x',
  STATE_pending: 'x',
  NODE_OPTIONS: '--x',
}

const CASES: [string, NodeJS.Platform, Record<string, string>][] = [
  ['Linux', 'linux', { PATH: '/bin', HOME: '/root', TMPDIR: '/var/tmp' }],
  ['macOS', 'darwin', { PATH: '/bin', HOME: '/Users/runner', TMPDIR: '/var/folders/x', TZ: 'UTC' }],
  [
    'Windows',
    'win32',
    {
      Path: 'C:\\Windows',
      SystemRoot: 'C:\\Windows',
      ComSpec: 'cmd.exe',
      windir: 'C:\\Windows',
      TEMP: 'D:\\t',
    },
  ],
  ["Windows, in Git's shell", 'win32', { PATH: 'C:\\Windows', SYSTEMROOT: 'C:\\Windows', APPDATA: 'C:\\a' }],
]

for (const [name, platform, ordinary] of CASES) {
  test(`a tool on ${name} sees what it needs and nothing private`, () => {
    assert.deepEqual(toolEnvironment({ ...PRIVATE, ...ordinary }, platform), { ...ordinary, LC_ALL: 'C' })
  })
}

test("a hook sees the job's environment without our inputs and anybody's database", () => {
  const job = { ...PRIVATE, DATABASE_URL: 'x', NODE_ENV: 'test' }
  const { AWS_SECRET_ACCESS_KEY, NODE_OPTIONS } = PRIVATE
  assert.deepEqual(hookEnvironment(job), { AWS_SECRET_ACCESS_KEY, NODE_OPTIONS, NODE_ENV: 'test' })
})
