/** Readers of one input's text. Each returns a value or throws an Error that completes the sentence "<input> …". */

const TRUE = ['true', 'True', 'TRUE']
const FALSE = ['false', 'False', 'FALSE']

/** Reads the YAML 1.2 booleans that `core.getBooleanInput` accepts. */
export function parseBoolean(text: string): boolean {
  if (TRUE.includes(text)) return true
  if (FALSE.includes(text)) return false
  throw new Error(`must be true or false, not ${JSON.stringify(text)}`)
}

/** Reads one of several choices. */
export function parseChoice<Choice extends string>(text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((candidate) => candidate === text)
  if (choice !== undefined) return choice
  throw new Error(`must be one of ${choices.join(', ')}, not ${JSON.stringify(text)}`)
}

/** Reads a name without spaces and quotes. */
export function parseWord(text: string): string {
  if (/^[A-Za-z0-9][\w.:/-]*$/.test(text)) return text
  throw new Error(`must be a plain name, not ${JSON.stringify(text)}`)
}

/** Reads a whole number in a range, both ends included. */
export function parseInteger(text: string, { min, max }: { min: number; max: number }): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (number >= min && number <= max) return number
  throw new Error(`must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`)
}

const MILLISECONDS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }

/** Reads `90s`, `10m`, `26h`, `7d` or `1h30m` as milliseconds. A number without a unit is refused. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d{1,9})(ms|[smhd])/g)]
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * MILLISECONDS_PER_UNIT[unit!]!, 0)
  if (parts.length > 0 && parts.map(([whole]) => whole).join('') === text && total > 0) return total
  throw new Error(`must be a duration such as 90s, 10m, 26h or 7d, not ${JSON.stringify(text)}`)
}

/** More than anybody means, and far from the last date that JavaScript can count to. */
const MAX_LIFETIME_MS = 100 * 365 * MILLISECONDS_PER_UNIT.d!

/** Reads a duration that is added to a time. */
export function parseLifetime(text: string): number {
  const milliseconds = parseDuration(text)
  if (milliseconds <= MAX_LIFETIME_MS) return milliseconds
  throw new Error(`must not be longer than 36500d, but is ${JSON.stringify(text)}`)
}

/** PostgreSQL stores timeouts as milliseconds in 32 bits, which is 24 days. */
const MAX_SERVER_TIMEOUT_MS = 2 ** 31 - 1

/** Reads a duration that becomes a setting of the server. */
export function parseServerDuration(text: string): number {
  const milliseconds = parseDuration(text)
  if (milliseconds <= MAX_SERVER_TIMEOUT_MS) return milliseconds
  throw new Error(`must not be longer than 24d, the limit of PostgreSQL, but is ${JSON.stringify(text)}`)
}

/** Reads one item per line. Blank lines and surrounding spaces are ignored. */
export function parseList(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** Reads regular expressions, one per line. */
export function parseExpressions(text: string): RegExp[] {
  return parseList(text).map((line) => {
    try {
      return new RegExp(line)
    } catch {
      throw new Error(`has a line that is not a valid regular expression: ${line}`)
    }
  })
}

export type Compression = { method: 'auto' | 'gzip' | 'zstd' | 'none'; level: number | null }

const MAX_LEVELS = { gzip: 9, zstd: 22 } as const

/** Reads a compression such as `auto`, `none`, `gzip`, `gzip:6` or `zstd:3`. */
export function parseCompression(text: string): Compression {
  const [name = '', level, ...more] = text.split(':')
  const method = parseChoice(name, ['auto', 'gzip', 'zstd', 'none'])
  if (more.length > 0) throw new Error(`must look like zstd:3, not ${JSON.stringify(text)}`)
  if (level === undefined) return { method, level: null }
  if (method !== 'gzip' && method !== 'zstd')
    throw new Error(`allows a level only for gzip and zstd, not for ${method}`)
  return { method, level: parseInteger(level, { min: 1, max: MAX_LEVELS[method] }) }
}

/** Options that would change the connection, the format or the destination of the data. Other short options may precede them. */
const RESERVED = {
  pg_dump: {
    short: /^-[abBcCORsvx]*[fFjdhpUWwZV?]/,
    long: 'file format jobs dbname host port username password no-password compress version help lock-wait-timeout',
  },
  pg_restore: {
    short: /^-[aORsvx]*[fFjdhpUWwlCce1V?]/,
    long: 'file format jobs dbname host port username password no-password list create clean exit-on-error single-transaction transaction-size version help',
  },
} as const

/** Whether an option is reserved, even after other short options (`-vFp`) or abbreviated (`--form=p`), as getopt_long allows. */
function isReserved(argument: string, tool: keyof typeof RESERVED): boolean {
  const long = /^--([^=]+)/.exec(argument)?.[1]
  if (long === undefined) return RESERVED[tool].short.test(argument)
  return RESERVED[tool].long.split(' ').some((name) => name.startsWith(long))
}

/** Reads extra arguments for a tool, one per line. The tool would connect to a database named by a line without a leading `-`. */
export function parseArguments(text: string, tool: 'pg_dump' | 'pg_restore'): string[] {
  return parseList(text).map((argument) => {
    if (!argument.startsWith('-') || argument === '--') {
      throw new Error(
        `has the line ${JSON.stringify(argument)}, which is not an option; write one --option=value per line`,
      )
    }
    if (/^--[\w-]+\s/.test(argument)) {
      throw new Error(`has a space in ${JSON.stringify(argument)}; write --option=value`)
    }
    if (isReserved(argument, tool)) {
      throw new Error(
        `has ${JSON.stringify(argument)}, which the action sets itself; remove it, and use the input for it if there is one`,
      )
    }
    return argument
  })
}

/** Reads an http(s) URL without credentials and without a query. `credentials` says what to do with credentials. */
export function parseHttpUrl(text: string, credentials: string): string {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new Error('must be an http:// or https:// URL')
  if (url.username || url.password) throw new Error(`contains credentials; ${credentials}`)
  if (url.search || url.hash)
    throw new Error('has a query or a fragment; remove everything from the ? or # on')
  return text
}
