import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCommands } from '../../../lab/runner/runner-commands.ts'
import { neutralise, rowDataFilter } from '../../../src/report/neutralise.ts'

test('ordinary text stays as it is', () => {
  const lines = [
    'pg_restore: error: could not execute query: ERROR:  relation "t" already exists',
    '  indented\ttext: a::int, b::text[], http://[::1]:5432/',
    '# heading #[1] [x]',
    'Zürich – 東京 🐘',
    '',
  ]
  for (const line of lines) assert.equal(neutralise(line), line)
})

test('#40 nothing that a row can hold becomes a workflow command', () => {
  const hostile = [
    '::error::x',
    ' \t\u00a0::set-output name=a::b',
    '::ADD-MASK::x',
    '::save-state name=a:b,c=d::x',
    '::stop-commands::token',
    'text ##[set-env name=PATH]x',
    '##[error]x ##[group]y',
    '###[error]x',
    'x\r::error::y',
    'x\n::error::y',
    '\u0000::error file=a:b::x',
    '\u001b[0m::error file=a:b::x',
    '\u0085::error file=a:b::x',
    '#\u0000#[error]x',
    '##\u0007[add-mask]x',
    '#\u009f#\u0001[error]x',
    ':\u0000:error::x',
    '\u202e::error::x',
    ':\u2066:error::x',
    '\u2028::error::x',
    ':::error::x',
  ]
  for (const line of hostile) {
    const shown = neutralise(line)
    assert.deepEqual(parseCommands(shown), [], line)
    assert.deepEqual(parseCommands(`  psql | ${shown}`), [], line)
    assert.doesNotMatch(
      shown,
      /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/,
      'a control character',
    )
  }
})

test('#40 no text at all does', () => {
  const piece = fc.constantFrom(
    ...['::', ':', '##[', '#', '[', ']', 'error', 'set-output', 'add-mask', ' name=a', ' file=a:b', ','],
    ...['\r', '\n', '\u0000', '\u001b', '\u0085', '\u2028', '\t', ' ', '\u3000', 'x', '%0A'],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      assert.deepEqual(parseCommands(neutralise(pieces.join(''))), [])
    }),
    { numRuns: 5000 },
  )
})

/** What is shown of some lines, one after the other. */
function shown(lines: string[]): (string | null)[] {
  return lines.map(rowDataFilter())
}

test('messages are shown and the rows in them are hidden', () => {
  const hidden = (part: string) => `${part}: (hidden, it may contain row data)`
  const value = '(hidden, it may be row data)'
  const cases: [string[], (string | null)[]][] = [
    [
      [
        'psql:x.sql:1: ERROR:  duplicate key value violates unique constraint "t_pkey"',
        'DETAIL:  Key (a)=(canary) already exists.',
      ],
      ['psql:x.sql:1: ERROR:  duplicate key value violates unique constraint "t_pkey"', hidden('DETAIL')],
    ],
    [
      [
        'ERROR:  new row for relation "t" violates check constraint "c"',
        'DETAIL:  Failing row contains (1, x',
        '::add-mask::canary',
        'canary).',
        'HINT:  Think.',
      ],
      [
        'ERROR:  new row for relation "t" violates check constraint "c"',
        hidden('DETAIL'),
        null,
        null,
        'HINT:  Think.',
      ],
    ],
    [
      [
        'pg_restore: error: COPY failed for table "t": ERROR:  invalid input syntax for type integer: "canary"',
        'CONTEXT:  COPY t, line 1, column a: "canary',
        'canary"',
        'pg_restore: warning: errors ignored on restore: 1',
      ],
      [
        `pg_restore: error: COPY failed for table "t": ERROR:  invalid input syntax for type integer: ${value}`,
        hidden('CONTEXT'),
        null,
        'pg_restore: warning: errors ignored on restore: 1',
      ],
    ],
    [
      ['ERROR:  invalid input value for enum mood: "can', 'ary"', 'CONTEXT:  x', 'FATAL:  terminating'],
      [`ERROR:  invalid input value for enum mood: ${value}`, null, hidden('CONTEXT'), 'FATAL:  terminating'],
    ],
    [
      ['ERROR:  date/time field value out of range: "canary"', 'ERROR:  malformed array literal: "{canary"'],
      [`ERROR:  date/time field value out of range: ${value}`, `ERROR:  malformed array literal: ${value}`],
    ],
    [
      ['ERROR:  value "canary" is out of range for type integer'],
      ['ERROR:  value (hidden, it may be row data) is out of range for type integer'],
    ],
    [
      ['psql:<stdin>:7: STATEMENT:  insert into t values (canary,', 'canary);'],
      [hidden('STATEMENT'), null],
    ],
    [
      ['STATEMENT:  insert into t values (canary)', 'QUERY:  select canary', 'COPY t FROM stdin: canary'],
      [hidden('STATEMENT'), hidden('QUERY'), hidden('COPY')],
    ],
    [
      ['Command was: INSERT INTO t VALUES (1, canary);', '', '', 'pg_restore: error: x'],
      [hidden('Command was'), null, null, 'pg_restore: error: x'],
    ],
    [
      [
        'Command was: CREATE INDEX i ON t USING btree (a);',
        'LINE 1: ...LUES (1, canary',
        '     ^',
        'HINT:  x',
      ],
      ['Command was: CREATE INDEX i ON t USING btree (a);', hidden('LINE 1'), null, 'HINT:  x'],
    ],
    [
      ['could not connect: "host" is unknown', 'pg_dump: dumping contents of table "public.t"'],
      ['could not connect: "host" is unknown', 'pg_dump: dumping contents of table "public.t"'],
    ],
  ]
  for (const [lines, expected] of cases) {
    assert.deepEqual(shown(lines), expected)
    assert.doesNotMatch(expected.join('\n'), /canary/)
  }
})
