import assert from 'node:assert/strict'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parsePath } from '../../../src/process/user-path.ts'

test('~ is the home folder at the start of a path, and a name elsewhere', () => {
  const cases: [string, string][] = [
    ['~', homedir()],
    ['~/dumps', join(homedir(), 'dumps')],
    ['~/my dumps/', join(homedir(), 'my dumps/')],
    ['./~/dumps', './~/dumps'],
    ['dumps/~', 'dumps/~'],
    ['.pgclone/', '.pgclone/'],
    ['/a$b', '/a$b'],
    ['100%', '100%'],
  ]
  for (const [text, path] of cases) assert.equal(parsePath(text), path)
})

test('what only a shell replaces is refused', () => {
  const texts = ['~other/dumps', '~other', '$HOME/dumps', `\${RUNNER_TEMP}/dumps`, '%USERPROFILE%\\dumps']
  for (const text of texts) assert.throws(() => parsePath(text), /which only a shell replaces/, text)
})
