import { call, join } from './sql.ts'

/** The largest values of the integer types. */
export const INTEGER_MAXIMA = { int2: '32767', int4: '2147483647', int8: '9223372036854775807' } as const

/** Returns the first hexadecimal digits of a hash. */
export function hexDigits(hash: string, digits: number): string {
  return call('left', call('encode', hash, "'hex'"), digits)
}

/** Returns the first bits of a hash as a number that is not negative. */
export function hashNumber(hash: string, type: 'int4' | 'int8'): string {
  const digits = type === 'int4' ? 8 : 16
  const bits = `${join('||', "'x'", hexDigits(hash, digits))}::pg_catalog.bit(${digits * 4})`
  return join('&', `${bits}::pg_catalog.${type}`, INTEGER_MAXIMA[type])
}

/** Makes an expression from a hash that it uses several times. OFFSET 0 keeps the planner from computing it each time. */
export function withHash(hash: string, expression: string, more = ''): string {
  return `(SELECT ${expression} FROM (SELECT ${hash} AS hash${more} OFFSET 0) AS k)`
}
