import { type ColumnType, isOneOf, isText, lengthLimit, numericDigits } from './column-type.ts'
import { digitsOfInteger, digitsOfNumeric, digitsOfText } from './digits.ts'
import { hashNumber, hexDigits, type INTEGER_MAXIMA, withHash } from './hash-parts.ts'
import { hashOf } from './keyed-hash.ts'
import type { SimpleMask } from './rules.ts'
import { call, join } from './sql.ts'
import { FIRST_NAMES, LAST_NAMES, LOREM, LOREM_STARTS, NAME_LENGTH } from './words.ts'

/** Whether different values have different masks, as far as chance allows; `unknown` for what a user wrote. */
export type Uniqueness = 'unique' | 'may collide' | 'constant' | 'unknown'

/** An SQL expression, and what it makes of different values; or why the type has no room for the mask. */
export type Expression = { expression: string; uniqueness: Uniqueness; form: string } | { refusal: string }

/** The masks that are made from the value and the key. */
export type KeyedMask = Exclude<SimpleMask, 'null' | 'empty'>

/** Returns the expression of a keyed mask for values that are not NULL. */
export function keyedMask(mask: KeyedMask, type: ColumnType, reference: string, domain: string): Expression {
  const hash = hashOf(type, reference, domain)
  if (mask === 'token') return token(type, hash)
  if (mask === 'uuid') return uuid(type, hash)
  if (mask === 'digits' && !isText(type)) return digits(type, reference, hash)
  if (!isText(type)) return { refusal: `${mask} is for texts, and the column is ${type.type}` }
  if (mask === 'email') return email(type, hash)
  if (mask === 'name') return name(type, hash)
  if (mask === 'digits') return digits(type, reference, hash)
  return lorem(type, reference, hash)
}

/** Hexadecimal digits without which two values would too often get the same mask, and as many as make that unlikely. */
const FEW_DIGITS = 8
const MANY_DIGITS = 16
const TOKEN_DIGITS = 32

function noRoom(mask: KeyedMask, needed: number, { type }: ColumnType): { refusal: string } {
  return { refusal: `${mask} needs room for ${needed} characters, and the column is ${type}` }
}

const EMAIL_ENDING = '@example.com'

function email(type: ColumnType, hash: string): Expression {
  const room = (lengthLimit(type) ?? Number.POSITIVE_INFINITY) - EMAIL_ENDING.length
  if (room < FEW_DIGITS) return noRoom('email', FEW_DIGITS + EMAIL_ENDING.length, type)
  const digits = Math.min(room, MANY_DIGITS)
  const expression = join('||', hexDigits(hash, digits), `'${EMAIL_ENDING}'`)
  return { expression, uniqueness: uniquenessOf(digits), form: `${digits}` }
}

function uniquenessOf(digits: number): Uniqueness {
  return digits >= MANY_DIGITS ? 'unique' : 'may collide'
}

function token(type: ColumnType, hash: string): Expression {
  if (isOneOf(type, 'uuid')) return uuid(type, hash)
  if (isOneOf(type, 'bytea'))
    return { expression: call('substr', hash, 1, TOKEN_DIGITS / 2), uniqueness: 'unique', form: 'bytes' }
  if (isOneOf(type, 'int4', 'int8', 'numeric')) return tokenNumber(type, hash)
  if (!isText(type))
    return {
      refusal: `token is for texts, bytea, uuid, integer, bigint and numeric, and the column is ${type.type}`,
    }
  const digits = Math.min(lengthLimit(type) ?? TOKEN_DIGITS, TOKEN_DIGITS)
  if (digits < FEW_DIGITS) return noRoom('token', FEW_DIGITS, type)
  return { expression: hexDigits(hash, digits), uniqueness: uniquenessOf(digits), form: `${digits}` }
}

/** Decimal digits of a numeric column that have as much room as eight, and as sixteen, hexadecimal digits. */
const FEW_DECIMALS = 9
const MANY_DECIMALS = 18
const BIGINT_DECIMALS = 19

function tokenNumber(type: ColumnType, hash: string): Expression {
  if (type.base === 'int4')
    return { expression: hashNumber(hash, 'int4'), uniqueness: 'may collide', form: 'int4' }
  const number = hashNumber(hash, 'int8')
  const { precision, scale } = numericDigits(type) ?? { precision: BIGINT_DECIMALS, scale: 0 }
  const room = scale < 0 ? 0 : precision - scale
  if (room >= BIGINT_DECIMALS) return { expression: number, uniqueness: 'unique', form: 'int8' }
  if (room < FEW_DECIMALS) {
    return {
      refusal: `token needs room for ${FEW_DECIMALS} digits before the decimal point, and the column is ${type.type}`,
    }
  }
  return {
    expression: call('mod', `${number}::pg_catalog.numeric`, `1${'0'.repeat(room)}`),
    uniqueness: room >= MANY_DECIMALS ? 'unique' : 'may collide',
    form: `${room}`,
  }
}

/** A UUID of version 4: the version is its 13th digit, and the variant its 17th. */
function uuid(type: ColumnType, hash: string): Expression {
  const version = call('overlay', hexDigits(hash, 32), "'4'", 13, 1)
  const expression = `${call('overlay', version, "'8'", 17, 1)}::pg_catalog.uuid`
  if (isOneOf(type, 'uuid')) return { expression, uniqueness: 'unique', form: 'uuid' }
  if (!isText(type)) return { refusal: `uuid is for texts and uuid, and the column is ${type.type}` }
  if ((lengthLimit(type) ?? 36) < 36) return noRoom('uuid', 36, type)
  return { expression: `${expression}::pg_catalog.text`, uniqueness: 'unique', form: 'text' }
}

/** Names that are cut to fewer characters are not names any more. */
const SHORTEST_NAME = 4

function name(type: ColumnType, hash: string): Expression {
  const limit = lengthLimit(type) ?? NAME_LENGTH
  if (limit < SHORTEST_NAME) return noRoom('name', SHORTEST_NAME, type)
  const whole = join('||', pick(FIRST_NAMES, 0), "' '", pick(LAST_NAMES, 1))
  const fitting = limit < NAME_LENGTH ? call('rtrim', call('left', whole, limit)) : whole
  return {
    expression: withHash(hash, fitting),
    uniqueness: 'may collide',
    form: `${Math.min(limit, NAME_LENGTH)}`,
  }
}

/** Picks one of 64 words by a byte of the hash. */
function pick(words: readonly (string | number)[], byte: number): string {
  const type = typeof words[0] === 'number' ? 'int4' : 'text'
  const index = join('+', 1, join('&', call('get_byte', 'k.hash', byte), 63))
  return `('{${words.join(',')}}'::pg_catalog.${type}[])[${index}]`
}

function digits(type: ColumnType, reference: string, hash: string): Expression {
  const uniqueness = 'may collide' as const
  if (isText(type))
    return { expression: digitsOfText(`${reference}::pg_catalog.text`, hash), uniqueness, form: 'text' }
  const { precision, scale } = numericDigits(type) ?? { precision: 0, scale: 0 }
  if (scale < 0 || scale > precision)
    return { refusal: `digits means nothing for ${type.type}, where some digits are always 0` }
  if (isOneOf(type, 'numeric'))
    return { expression: digitsOfNumeric(reference, hash), uniqueness, form: 'numeric' }
  if (isOneOf(type, 'int2', 'int4', 'int8')) {
    const base = type.base as keyof typeof INTEGER_MAXIMA
    return { expression: digitsOfInteger(reference, hash, base), uniqueness, form: base }
  }
  return { refusal: `digits is for texts, integers and numeric, and the column is ${type.type}` }
}

/** Lengths are rounded up to a multiple of this, so that a text does not show exactly how long it was. */
const LENGTH_STEP = 16

function lorem(type: ColumnType, reference: string, hash: string): Expression {
  const limit = lengthLimit(type)
  const length = call('length', `${reference}::pg_catalog.text`)
  const rounded = join('*', join('/', join('+', length, LENGTH_STEP - 1), LENGTH_STEP), LENGTH_STEP)
  const fitting = limit === null ? rounded : `LEAST(${rounded}, ${limit})`
  const repeated = call('repeat', `'${LOREM}'`, join('+', join('/', 'k.length', LOREM.length), 2))
  return {
    expression: withHash(
      hash,
      call('substr', repeated, pick(LOREM_STARTS, 0), 'k.length'),
      `, ${fitting} AS length`,
    ),
    uniqueness: 'may collide',
    form: `${limit ?? ''}`,
  }
}
