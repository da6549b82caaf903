/** Readers of one input's text. Each returns a value or throws an Error that completes the sentence "<input> …". */

const TRUE = ['true', 'True', 'TRUE']
const FALSE = ['false', 'False', 'FALSE']

/** The YAML 1.2 booleans that `core.getBooleanInput` accepts. */
export function parseBoolean(text: string): boolean {
  if (TRUE.includes(text)) return true
  if (FALSE.includes(text)) return false
  throw new Error(`must be true or false, not ${JSON.stringify(text)}`)
}

/** @throws an Error that completes the sentence "<input> …" with what may be chosen */
export function parseChoice<Choice extends string>(text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((candidate) => candidate === text)
  if (choice !== undefined) return choice
  throw new Error(`must be one of ${choices.join(', ')}, not ${JSON.stringify(text)}`)
}

/** @throws an Error that completes the sentence "<input> …" with the range, both ends included */
export function parseInteger(text: string, range: { least: number; most: number }): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (number >= range.least && number <= range.most) return number
  throw new Error(`must be a whole number from ${range.least} to ${range.most}, not ${JSON.stringify(text)}`)
}

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }

/** `90s`, `10m`, `26h`, `7d`, `1h30m` → milliseconds. A bare number has no unit and is refused. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d{1,9})(ms|[smhd])/g)]
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * MILLISECONDS[unit!]!, 0)
  if (parts.length > 0 && parts.map(([whole]) => whole).join('') === text && total > 0) return total
  throw new Error(`must be a duration such as 90s, 10m, 26h or 7d, not ${JSON.stringify(text)}`)
}

/** The server counts timeouts in milliseconds and in 32 bits, which is 24 days. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

/** As `parseDuration`, for what becomes a setting of the server. */
export function parseServerDuration(text: string): number {
  const milliseconds = parseDuration(text)
  if (milliseconds <= LONGEST_TIMEOUT) return milliseconds
  throw new Error(`must be 24d at most, not ${JSON.stringify(text)}`)
}

/** One item a line; blank lines and surrounding space do not count. */
export function parseList(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** Regular expressions, one a line. */
export function parseExpressions(text: string): RegExp[] {
  return parseList(text).map((line) => {
    try {
      return new RegExp(line)
    } catch {
      throw new Error(`has a line that is no regular expression: ${line}`)
    }
  })
}

export type Compression = { method: 'auto' | 'gzip' | 'zstd' | 'none'; level: number | null }

const LEVELS = { gzip: 9, zstd: 22 } as const

/** `auto`, `none`, `gzip`, `gzip:6`, `zstd:3`. */
export function parseCompression(text: string): Compression {
  const [name = '', level, ...more] = text.split(':')
  const method = parseChoice(name, ['auto', 'gzip', 'zstd', 'none'])
  if (more.length > 0) throw new Error(`must look like zstd:3, not ${JSON.stringify(text)}`)
  if (level === undefined) return { method, level: null }
  if (method !== 'gzip' && method !== 'zstd')
    throw new Error(`takes a level only with gzip or zstd, not with ${method}`)
  return { method, level: parseInteger(level, { least: 1, most: LEVELS[method] }) }
}

/** Options that would take the data, the connection or the format out of our hands. Other letters may stand before theirs. */
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

/** Whether an option is reserved, also behind others (`-vFp`) or cut short (`--form=p`), as getopt_long allows. */
function isReserved(argument: string, tool: keyof typeof RESERVED): boolean {
  const long = /^--([^=]+)/.exec(argument)?.[1]
  if (long === undefined) return RESERVED[tool].short.test(argument)
  return RESERVED[tool].long.split(' ').some((name) => name.startsWith(long))
}

/** Extra arguments for a tool, one a line. A line without a leading `-` would be read as a database to connect to. */
export function parseArguments(text: string, tool: 'pg_dump' | 'pg_restore'): string[] {
  return parseList(text).map((argument) => {
    if (!argument.startsWith('-') || argument === '--') {
      throw new Error(
        `has the line ${JSON.stringify(argument)}, which is no option; write one --option=value a line`,
      )
    }
    if (/^--[\w-]+\s/.test(argument)) {
      throw new Error(`has a space in ${JSON.stringify(argument)}; write --option=value`)
    }
    if (isReserved(argument, tool)) {
      throw new Error(
        `has ${JSON.stringify(argument)}, which this action decides itself; there is an input for it or it would break the transfer`,
      )
    }
    return argument
  })
}

/** An http(s) address that carries neither credentials nor a query. `credentials` says where those belong. */
export function parseHttpUrl(text: string, credentials: string): string {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new Error('must be an http:// or https:// URL')
  if (url.username || url.password) throw new Error(`contains credentials; ${credentials}`)
  if (url.search || url.hash) throw new Error('must end before ? and #')
  return text
}
