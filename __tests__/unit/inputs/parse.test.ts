import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  parseArguments,
  parseBoolean,
  parseChoice,
  parseCompression,
  parseDuration,
  parseExpressions,
  parseInteger,
  parseLifetime,
  parseList,
  parseServerDuration,
} from '../../../src/inputs/parse.ts'

/** Cases of one parser: a value is what it returns, a pattern is what it complains of. */
function table<Value>(parse: (text: string) => Value, cases: readonly [string, Value | RegExp][]): void {
  for (const [text, expected] of cases) {
    if (expected instanceof RegExp) assert.throws(() => parse(text), { message: expected }, text)
    else assert.deepEqual(parse(text), expected, text)
  }
}

test('booleans are those of YAML 1.2', () => {
  const yes = ['true', 'True', 'TRUE'].map((text) => [text, true] as [string, boolean])
  const no = ['false', 'False', 'FALSE'].map((text) => [text, false] as [string, boolean])
  const wrong = ['yes', 'on', '1', 'tRUE', 'false,'].map(
    (text) => [text, /true or false/] as [string, RegExp],
  )
  table<boolean>(parseBoolean, [...yes, ...no, ...wrong])
})

test('choices are exact', () => {
  table(
    (text) => parseChoice(text, ['auto', 'never']),
    [
      ['never', 'never'],
      ['Never', /must be one of auto, never, not "Never"/],
      ['toString', /must be one of/],
    ],
  )
})

test('numbers are whole, plain and in range', () => {
  table(
    (text) => parseInteger(text, { min: 1, max: 10_000 }),
    [
      ['1', 1],
      ['10000', 10_000],
      ['010', 10],
      ...['0', '10001', '-1', '1.5', '1e3', '0x10', '１', '1 000', '99999999999999999999', ''].map(
        (text) => [text, /must be a whole number from 1 to 10000/] as [string, RegExp],
      ),
    ],
  )
})

test('durations need a unit', () => {
  table(parseDuration, [
    ['250ms', 250],
    ['90s', 90_000],
    ['10m', 600_000],
    ['26h', 93_600_000],
    ['7d', 604_800_000],
    ['1h30m', 5_400_000],
    ...['10', '0s', '1.5h', '-5s', '5 s', '10min', 's', '10m,', '1h-30m'].map(
      (text) => [text, /must be a duration such as 90s, 10m/] as [string, RegExp],
    ),
  ])
})

test('lists have one item a line', () => {
  table(parseList, [
    ['a', ['a']],
    ['  a b  \r\n\n\t\r\n"c"\n', ['a b', '"c"']],
    ['\n \n', []],
    ['a,b', ['a,b']],
  ])
})

test('regular expressions', () => {
  table(
    (text) => parseExpressions(text).map(String),
    [
      ['extension "pg_cron"\n^a.*b$', ['/extension "pg_cron"/', '/^a.*b$/']],
      ['fine\n(broken', /not a valid regular expression: \(broken/],
    ],
  )
})

test('compression', () => {
  table(parseCompression, [
    ['auto', { method: 'auto', level: null }],
    ['none', { method: 'none', level: null }],
    ['gzip', { method: 'gzip', level: null }],
    ['gzip:9', { method: 'gzip', level: 9 }],
    ['zstd:22', { method: 'zstd', level: 22 }],
    ['gzip:10', /whole number from 1 to 9/],
    ['zstd:23', /from 1 to 22/],
    ['zstd:0', /from 1 to 22/],
    ['zstd:', /from 1 to 22/],
    ['zstd:3:long', /must look like zstd:3/],
    ['auto:3', /only for gzip and zstd/],
    ['none:1', /only for gzip and zstd/],
    ['lz4', /must be one of/],
  ])
})

test('extra arguments cannot change the connection, the format or the destination of the data', () => {
  const reserved = {
    pg_dump: [
      ...['-f', '-fout', '--file=out', '--fil=out', '-Fp', '--format=plain', '--form=p', '-vFp', '-xvf/out'],
      ...['-j4', '--jobs=4', '-dpostgres', '--dbname=host=elsewhere', '--db=x', '-h10.0.0.1', '--host=x'],
      ...['-p1', '--port=1', '-Upostgres', '--username=x', '--user=x', '-W', '-w', '--password', '--no-pass'],
      ...['-Z9', '--compress=9', '-V', '--version', '-?', '--help', '--lock-wait-timeout=1'],
    ],
    pg_restore: [
      ...['-f-', '--file=-', '--file', '-d', '--dbname=x', '-l', '--list', '-C', '--create', '-c', '--clean'],
      ...['-e', '--exit-on-error', '-1', '--single-transaction', '--single', '--transaction-size=5', '-Oxe'],
      ...['-j4', '--jobs=4', '-Fd', '--format=d', '-hx', '-U', '-w', '-V', '--ver'],
    ],
  } as const
  const allowed = {
    pg_dump: [
      ...['--no-publications', '--no-comments', '-v', '-Ox', '-tFoo', '-npublic', '--exclude-table=f*'],
      ...['--extra-float-digits=0', '--rows-per-insert=5', '--filter=list', '--snapshot=a', '--role=reader'],
    ],
    pg_restore: ['--no-comments', '-nFoo', '-L/list', '--schema=x', '--no-publications', '--role=app', '-v'],
  } as const
  for (const tool of ['pg_dump', 'pg_restore'] as const) {
    for (const argument of reserved[tool]) {
      assert.throws(() => parseArguments(argument, tool), /sets itself/, `${tool} ${argument}`)
    }
    assert.deepEqual(parseArguments(allowed[tool].join('\n'), tool), allowed[tool])
  }
})

test('an extra argument is an option, and one a line', () => {
  const wrong = ['dbname=elsewhere', 'postgres://elsewhere/x', '--', '--table orders', 'x\n-v']
  for (const text of wrong)
    assert.throws(() => parseArguments(text, 'pg_dump'), /one --option|--option=value/)
})

test('a timeout of the server fits into its 32 bits', () => {
  table(parseServerDuration, [
    ['60s', 60_000],
    ['24d', 24 * 86_400_000],
    ['25d', /must not be longer than 24d/],
    ['soon', /must be a duration/],
  ])
  table(parseLifetime, [
    ['7d', 7 * 86_400_000],
    ['36500d', 36_500 * 86_400_000],
    ['36501d', /must not be longer than 36500d/],
    ['7', /must be a duration/],
  ])
})
