import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { inputVariables } from '../../../lab/runner/action-inputs.ts'
import { writeFiles } from '../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { chooseSet, parseSets } from '../../../src/inputs/config-file.ts'
import { DEFAULTS } from '../../../src/inputs/defaults.ts'
import type { Inputs } from '../../../src/inputs/inputs.ts'
import { didYouMean } from '../../../src/inputs/nearest.ts'
import { readInputs } from '../../../src/inputs/read-inputs.ts'
import { hideSecrets } from '../../../src/report/secrets.ts'

const DEFAULT_FILE = DEFAULTS['config-file']

/** Reads a step's inputs as the runner gives them, in a workspace with these files. */
async function read(files: Record<string, string>, inputs: Record<string, string>): Promise<Inputs> {
  await using workspace = tempFolder('workspace')
  writeFiles(workspace.path, files)
  return readInputs({ ...inputVariables(inputs), GITHUB_WORKSPACE: workspace.path })
}

const FILE = `
shared: &shared
  storage-location: s3://backups/nightly/
  database-url: postgres://app:s3cret-of-the-file@db.example.com/app
nightly:
  <<: *shared
  compression: zstd:3
  keep-daily: 7
  fail-on-shrink: true
  exclude-table-data:
    - public.sessions
    - public."Log"
  postgres-version: 16
`

test('a set stands in for what the step does not give, and the defaults for the rest', async () => {
  const inputs = await read({ [DEFAULT_FILE]: FILE }, { config: 'nightly', compression: 'gzip' })
  assert.deepEqual(inputs.location, { kind: 's3', bucket: 'backups', prefix: 'nightly/' })
  assert.deepEqual(inputs.compression, { method: 'gzip', level: null })
  assert.equal(inputs.keep.counts.daily, 7)
  assert.equal(inputs.failOnShrink, true)
  assert.deepEqual(inputs.excludeTableData, ['public.sessions', 'public."Log"'])
  assert.equal(inputs.postgresVersion, 16)
  assert.equal(inputs.connection?.database, 'app')
  assert.equal(inputs.config, 'nightly')
  assert.equal(inputs.summary, true)
  assert.equal(inputs.namedSet?.file, DEFAULT_FILE)
})

test('an input that has its default counts as not given: the runner fills defaults in', async () => {
  const files = { [DEFAULT_FILE]: 'a:\n  compression: none\n  jobs: 2' }
  const inputs = await read(files, { command: 'list', config: 'a', compression: 'auto', jobs: '3' })
  assert.equal(inputs.compression.method, 'none')
  assert.equal(inputs.jobs, 3)
})

test('when the file is missing and was not asked for, config is only a label', async () => {
  const inputs = await read({}, { command: 'list', config: 'masked' })
  assert.equal(inputs.config, 'masked')
  assert.equal(inputs.namedSet, null)
})

test('a file that was asked for must be there', async () => {
  const inputs = { command: 'list', 'config-file': 'ci/pgclone.yml' }
  await assert.rejects(
    read({}, inputs),
    /^Error: Input config-file "ci\/pgclone.yml" cannot be read: it does not exist/,
  )
  await assert.rejects(read({ 'ci/pgclone.yml/x': '' }, inputs), /it is EISDIR/)
  assert.equal((await read({ 'ci/pgclone.yml': '' }, inputs)).namedSet, null)
})

test('a set that does not exist is an error with the nearest one, and `none` asks for none', async () => {
  const files = { [DEFAULT_FILE]: FILE }
  await assert.rejects(
    read(files, { command: 'list', config: 'nightyl' }),
    /Input config "nightyl" is not a set of .github\/pgclone.yml \(did you mean "nightly"\?\)/,
  )
  await assert.rejects(read(files, { command: 'list', config: 'weekly-x' }), /it has shared, nightly/)
  assert.equal((await read(files, { command: 'list' })).namedSet, null)
  assert.deepEqual(chooseSet('f', { none: { jobs: '1' } }, 'none'), { jobs: '1' })
})

const wrong: [string, RegExp][] = [
  [
    'a:\n  exclude-table: x',
    /"exclude-table" in the set "a", which is not an input \(did you mean "exclude-tables"\?\)/,
  ],
  ['a:\n  frobnicate: x', /which is not an input$/],
  ['a:\n  config: x', /must be set in the step: it chooses the set/],
  ['a:\n  config-file: x', /must be set in the step/],
  ['a:\n  command: prune', /must be set in the step: a set must not change what a step does/],
  ['a:\n  tables:', /"tables" in the set "a", which is empty/],
  ['a:\n  tables: []', /is empty/],
  ['a:\n  tables: [x, ""]', /is empty/],
  ['a:\n  tables: [[x]]', /must be a string or a list of strings/],
  ['a:\n  tables: {x: y}', /must be a string or a list of strings/],
  ['a:\n  verify-sql:\n    - |\n      SELECT 1\n      SELECT 2', /an item with more than one line/],
  ['a: text', /the set "a", which must be a mapping/],
  ['- a', /must be a mapping of names/],
  ['a:\n  jobs: 1\n  jobs: 2', /is not valid YAML: DUPLICATE_KEY in line 3/],
  ['a: {', /is not valid YAML/],
  ['a:\n  tables: *x', /is not valid YAML: an alias/],
  ['a:\n  tabels: x\nb:\n  job: 1', /"tabels" .* "tables".*; gives "job" in the set "b", .*"jobs"/],
]
for (const [text, message] of wrong) {
  test(`${JSON.stringify(text)} is an error`, () => assert.throws(() => parseSets('f.yml', text), message))
}

test('texts are taken as they are written', () => {
  const sets = parseSets('f', 'a:\n  postgres-version: 016')
  assert.equal(sets.a!['postgres-version'], '016')
  assert.deepEqual(parseSets('f', 'a:\n  instance: 0x10\n  jobs: 1.0\n  swap: no'), {
    a: { instance: '0x10', jobs: '1.0', swap: 'no' },
  })
})

test('no error shows a secret of the file, and each is masked', async () => {
  const broken = [
    'a:\n  database-url: postgres://u:canary-1@h/db\n bad',
    'a:\n  s3-config: *canary-1',
    'a:\n  s3-config: |\n AWS_SECRET_ACCESS_KEY=canary-1\n',
    'a:\n  s3-config:\n    - [canary-1]',
    'a:\n  s3-config: "AWS_SECRET_ACCESS_KEY=canary-1\n',
    'a:\n  database-url: mysql://u:canary-1@h/db',
  ]
  for (const text of broken) {
    const error = await read({ [DEFAULT_FILE]: text }, { config: 'a' }).catch((error: Error) => error)
    assert.ok(error instanceof Error, text)
    assert.doesNotMatch(error.message, /canary-1/, text)
  }
})

test('the key of masks is hidden, also where the file is not valid', async () => {
  for (const [line, key] of [
    ['mask-key: "canary-2a"', 'canary-2a'],
    ['"mask-key" : canary-2b', 'canary-2b'],
    ['mask-key: |\n    canary-2c', 'canary-2c'],
    ['mask-key: canary-2d\n bad', 'canary-2d'],
  ] as const) {
    await read({ [DEFAULT_FILE]: `a:\n  ${line}\n` }, { config: 'a' }).catch(() => undefined)
    assert.equal(hideSecrets(`(${key})`), '(***)', line)
  }
})

test('any set of ours survives YAML', () => {
  const outside = ['config', 'config-file', 'command', 'github-token']
  const names = Object.keys(DEFAULTS).filter((name) => !outside.includes(name))
  const item = fc
    .string({ minLength: 1 })
    .filter((text) => text.trim() !== '' && !/[\r\n\u0085\u2028\u2029]/.test(text))
  const set = fc.dictionary(fc.constantFrom(...names), fc.oneof(item, fc.array(item, { minLength: 1 })), {
    noNullPrototype: true,
  })
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z][a-z-]*$/), set, { noNullPrototype: true }),
      (sets) => {
        const text = stringify(sets, {
          schema: 'core',
          defaultStringType: 'QUOTE_DOUBLE',
          defaultKeyType: 'PLAIN',
        })
        assert.deepEqual(parse(text), sets)
        const lines = (value: string | string[]) => (Array.isArray(value) ? value.join('\n') : value)
        const expected = Object.entries(sets).map(([name, set]) => [
          name,
          Object.fromEntries(Object.entries(set).map(([input, value]) => [input, lines(value)])),
        ])
        assert.deepEqual(parseSets('f', text), Object.fromEntries(expected))
      },
    ),
  )
})

test('the nearest name', () => {
  assert.equal(didYouMean('Tables', ['tables', 'schemas']), ' (did you mean "tables"?)')
  assert.equal(
    didYouMean('exclude-tabels', ['exclude-tables', 'tables']),
    ' (did you mean "exclude-tables"?)',
  )
  assert.equal(didYouMean('x', ['tables']), '')
  assert.equal(didYouMean('', []), '')
})
