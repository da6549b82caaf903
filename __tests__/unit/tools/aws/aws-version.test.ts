import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsWarnings, chooseAws, parseAwsVersion } from '../../../../src/tools/aws/aws-version.ts'

const cli = (version: string) =>
  parseAwsVersion(`/opt/${version}/aws`, `aws-cli/${version} Python/3.13.4 Linux/6`)!

const CONDITIONAL_PUT: [string, boolean][] = [
  ['1.29.0', false],
  ['1.34.9', false],
  ['1.35.0', true],
  ['1.45.11', true],
  ['2.9.19', false],
  ['2.17.65', false],
  ['2.18.0', true],
  ['2.38.1', true],
]

for (const [version, expected] of CONDITIONAL_PUT) {
  test(`AWS CLI ${version} ${expected ? 'knows' : 'does not know'} conditional puts`, () => {
    const { supportsConditionalPut, major } = cli(version)
    assert.deepEqual([supportsConditionalPut, major], [expected, Number(version[0])])
  })
}

test('what is no AWS CLI has no version', () => {
  for (const output of ['', 'aws 2.0.0', 'Error: not found', 'aws-cli/next']) {
    assert.equal(parseAwsVersion('/bin/aws', output), null)
  }
})

const CHOICES: [string[], string | undefined][] = [
  [['1.45.11', '2.9.19', '2.38.1', '2.36.24'], '2.38.1'],
  [['1.28.0', '1.45.11'], '1.45.11'],
  // An old v2 as Debian 12 has it can do less than a new v1.
  [['1.45.11', '2.9.19'], '1.45.11'],
  [['1.45.11', '2.23.3', '2.18.0'], '2.18.0'],
  [['1.45.11', '2.36.24', '2.31.35'], '2.31.35'],
  [['1.45.11', '2.36.24', '2.32.32'], '2.36.24'],
  [['1.28.9'], undefined],
  [[], undefined],
]

for (const [versions, expected] of CHOICES) {
  test(`of ${versions.join(', ') || 'none'} it takes ${expected ?? 'none'}`, () => {
    assert.equal(chooseAws(versions.map(cli))?.version, expected)
  })
}

const [RETRY, END, CHECKSUM] = [/2\.38\.1 or newer/, /support ends/, /2\.23\.6 or newer/]
const WARNINGS: [string, RegExp[]][] = [
  ['1.45.11', [END]],
  ['2.9.19', []],
  ['2.23.0', [CHECKSUM]],
  ['2.23.5', [CHECKSUM]],
  ['2.23.6', []],
  ['2.32.31', []],
  ['2.32.32', [RETRY]],
  ['2.36.42', [RETRY]],
  ['2.36.43', [RETRY]],
  ['2.38.0', [RETRY]],
  ['2.38.1', []],
]

for (const [version, expected] of WARNINGS) {
  test(`AWS CLI ${version} has ${expected.length} known flaws`, () => {
    const warnings = awsWarnings(cli(version), { downloads: true, checksum: 'when_required' })
    assert.equal(warnings.length, expected.length)
    for (const [index, pattern] of expected.entries()) assert.match(warnings[index]!, pattern)
  })
}

test('a flaw that does not touch this use is not told', () => {
  for (const version of ['2.23.3', '2.36.24']) {
    assert.deepEqual(awsWarnings(cli(version), { downloads: false, checksum: 'when_supported' }), [])
  }
})
