import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spawnPlan } from '../../../src/process/windows-command.ts'

const windows = { platform: 'win32', comSpec: 'C:\\Windows\\system32\\cmd.exe' } as const
const aws = 'C:\\Program Files\\Python\\Scripts\\aws.cmd'
const lineOf = (...args: string[]) => spawnPlan(aws, args, windows).args.at(-1)

test('only batch files of Windows are started by cmd.exe', () => {
  const args = ['s3', 'ls']
  const plain = (file: string) => ({ file, args, windowsVerbatimArguments: false })
  assert.deepEqual(spawnPlan('C:\\aws.exe', args, windows), plain('C:\\aws.exe'))
  assert.deepEqual(
    spawnPlan('/bin/aws.cmd', args, { platform: 'linux', comSpec: undefined }),
    plain('/bin/aws.cmd'),
  )
  for (const file of [aws, 'C:\\AWS.BAT']) {
    assert.deepEqual(spawnPlan(file, args, windows), {
      file: 'C:\\Windows\\system32\\cmd.exe',
      args: ['/e:ON', '/v:OFF', '/d', '/s', '/c', `""${file}" "s3" "ls""`],
      windowsVerbatimArguments: true,
    })
  }
  assert.equal(spawnPlan(aws, [], { platform: 'win32', comSpec: undefined }).file, 'cmd.exe')
})

/** Arguments, and how cmd.exe must get them so that the program sees them unchanged. */
const QUOTED: [string, string][] = [
  ['', '""'],
  ['C:\\temp\\', '"C:\\temp\\\\"'],
  ['a & calc', '"a & calc"'],
  ['^|<>()!', '"^|<>()!"'],
  ['" & calc & "', '""" & calc & """'],
  ['\\"', '"\\\\"""'],
  ['%PATH%', '"%%cd:~,%PATH%%cd:~,%"'],
  ['{"a":"b c"}', '"{""a"":""b c""}"'],
]

for (const [argument, quoted] of QUOTED) {
  test(`cmd.exe gets ${argument || 'an empty argument'} as ${quoted}`, () => {
    assert.equal(lineOf(argument), `""${aws}" ${quoted}"`)
  })
}

test('what cmd.exe would change is refused', () => {
  for (const argument of ['a\nb', 'a\rb', 'a\0b']) assert.throws(() => lineOf(argument), /holds a line break/)
  assert.throws(() => spawnPlan('C:\\%x%\\aws.cmd', [], windows), /a quote or a percent sign/)
})
