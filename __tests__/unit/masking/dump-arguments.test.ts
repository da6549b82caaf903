import assert from 'node:assert/strict'
import { test } from 'node:test'
import { argumentProblems } from '../../../src/masking/dump-arguments.ts'

test('options that leave the rows as they are', () => {
  assert.deepEqual(
    argumentProblems(['--no-owner', '-x', '--no-comments', '--no-large-objects', '--verbose']),
    [],
  )
})

test('every other option is refused, also in forms that pg_dump understands', () => {
  const refused = [
    ...[
      '--inserts',
      '--column-inserts',
      '--rows-per-insert=5',
      '--on-conflict-do-nothing',
      '--load-via-partition-root',
    ],
    ...[
      '--statistics',
      '--with-statistics',
      '--statistics-only',
      '--include-foreign-data=*',
      '--enable-row-security',
    ],
    ...[
      '--filter=rules',
      '--role=owner',
      '--encoding=LATIN1',
      '--data-only',
      '-a',
      '-Ox',
      '--ins',
      '--section=data',
    ],
  ]
  for (const argument of refused) {
    const [problem, ...more] = argumentProblems([argument])
    const option = argument.split('=')[0]!
    assert.ok(
      problem?.startsWith(`pg-dump-args has ${option}, which could bring rows into the dump`),
      argument,
    )
    assert.ok(problem?.endsWith('; remove it'), problem)
    assert.deepEqual(more, [])
  }
})

test('where an input does the same, it is named', () => {
  const inputs: Record<string, string> = {
    '-b': 'large-objects: keep',
    '--large-objects': 'large-objects: keep',
    '--schema-only': 'schema-only',
    '--table=a': 'tables',
    '-Ta': 'exclude-tables',
    '--exclude-table=a': 'exclude-tables',
    '--exclude-table-data=a': 'exclude-table-data',
    '--no-unlogged-table-data': 'exclude-table-data',
    '--schema=a': 'schemas',
    '-Na': 'exclude-schemas',
    '--compress=9': 'compression',
  }
  for (const [argument, input] of Object.entries(inputs))
    assert.ok(argumentProblems([argument])[0]!.endsWith(`; use the input ${input}`), argument)
})
