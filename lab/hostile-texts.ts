import fc from 'fast-check'

/** Texts that mean something to a shell, to SQL, to libpq, to a file system, to the runner, or to a parser. */
export const HOSTILE: readonly string[] = [
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  '~root',
  'C:\\x',
  '\\\\host\\share',
  '; touch canary',
  '$(touch canary)',
  '`touch canary`',
  '| touch canary',
  '&& touch canary #',
  '-d evil',
  '--dbname=evil',
  '-',
  'host=127.0.0.1 dbname=evil',
  'dbname=evil',
  'a=b',
  'postgres://127.0.0.1/evil',
  `'; drop database live; --`,
  '"; drop database live; --',
  `it's`,
  '"quoted"',
  '\\! touch canary',
  ':x :\'x\' :"x"',
  '$$ $1 %s %n {}',
  '*',
  '?[a-z]',
  'line\nbreak',
  'carriage\rreturn',
  'tab\tulator',
  '\u001b[31mred',
  '::error::obeyed',
  '##[error]obeyed',
  '::add-mask::e',
  '%0A::error::obeyed',
  'NUL\0byte',
  'ＣＯＭ１',
  'аpp', // a Cyrillic а
  'app\u200b',
  '\u202eppa',
  'é'.normalize('NFD'),
  '東京🐘',
  'x'.repeat(64),
  'é'.repeat(32),
  'x'.repeat(10_000),
  '__proto__',
  'constructor',
  'null',
  'undefined',
  '1e309',
  '-1',
  '٣',
  '{"a":1}',
  '[]',
  ' ',
  '\u00a0',
]

/** Hostile texts, and others made of their pieces. */
export const hostile = (): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(...HOSTILE),
    fc
      .array(fc.constantFrom(...HOSTILE, ':', '/', '@', '?', '=', '\n', '%', '%zz', '%00', ','), {
        maxLength: 4,
      })
      .map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 80 }),
  )

/** Fails when an error is no sentence for people: a stack trace, several lines, or a slip of the program. */
export function problemOf(error: unknown): string | null {
  if (!(error instanceof Error)) return `not an Error: ${String(error)}`
  const { message } = error
  if (message.trim() === '') return 'an empty message'
  if (
    /\n\s+at |node:internal|undefined is not|Cannot read propert|is not a function|is not iterable/.test(
      message,
    )
  )
    return `a slip of the program: ${message}`
  if (['TypeError', 'RangeError', 'ReferenceError'].includes(error.name)) return `a ${error.name}: ${message}`
  return null
}
