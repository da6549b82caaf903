import { type ColumnType, castType, isOneOf, lengthLimit } from './column-type.ts'
import { constantValue, emptyValue } from './constant-masks.ts'
import { jsonMask } from './json-mask.ts'
import { canonicalForm } from './keyed-hash.ts'
import { keyedMask, type Uniqueness } from './keyed-masks.ts'
import type { MaskRule } from './rules.ts'
import { call } from './sql.ts'

/** What the server evaluates instead of a column. */
type ColumnMask = {
  /** SQL of the column's type behind all domains. Checks of domains are functions of users, so they run in the target only. */
  expression: string
  uniqueness: Uniqueness
  /** Two masks with the same form turn equal values into equal masks. It is null for what a user wrote, and for json. */
  form: string | null
  /** A query that fails when the type does not accept the constant of the mask file; otherwise null. */
  probe: string | null
}

/** A mask, or why a column cannot have it. */
type Attempt = ColumnMask | { refusal: string }

/**
 * Returns the mask of a column as SQL, or why its type cannot have it. NULL stays NULL under every mask but `null`.
 *
 * @param reference the column as SQL, with its table, so that no name inside the expression hides it
 * @param narrowest the narrowest type of the columns that refer to each other, which a mask of all of them must fit
 */
export function maskColumn(
  rule: MaskRule,
  type: ColumnType,
  reference: string,
  narrowest: ColumnType = type,
): Attempt {
  const mask = maskValue(rule, type, reference, narrowest)
  if ('refusal' in mask || rule.mask === 'null') return mask
  const expression = `CASE WHEN ${reference} IS NOT DISTINCT FROM NULL THEN NULL ELSE ${mask.expression} END`
  return { ...mask, expression }
}

function maskValue(rule: MaskRule, type: ColumnType, reference: string, narrowest: ColumnType): Attempt {
  switch (rule.mask) {
    case 'null':
      return constant({ expression: `NULL::${castType(type)}` }, 'null')
    case 'empty':
      return constant(emptyValue(type), 'empty')
    case 'value': {
      const mask = constant(constantValue(type, rule.value), `value ${JSON.stringify(rule.value)}`)
      return 'refusal' in mask ? mask : { ...mask, probe: `SELECT ${mask.expression} AS value` }
    }
    case 'json':
      return json(type, reference, rule.paths)
    case 'sql':
      return { expression: ofUser(rule.expression, type), uniqueness: 'unknown', form: null, probe: null }
    default:
      return keyed(keyedMask(rule.mask, narrowest, reference, rule.domain), rule, type)
  }
}

function constant(value: { expression: string } | { refusal: string }, form: string): Attempt {
  return 'refusal' in value ? value : { ...value, uniqueness: 'constant', form, probe: null }
}

function json(type: ColumnType, reference: string, paths: readonly (readonly string[])[]): Attempt {
  if (!isOneOf(type, 'json', 'jsonb'))
    return { refusal: `json is for json and jsonb, and the column is ${type.type}` }
  const expression = jsonMask(type.base as 'json' | 'jsonb', reference, paths)
  return { expression, uniqueness: 'may collide', form: null, probe: null }
}

function keyed(masked: ReturnType<typeof keyedMask>, { mask, domain }: MaskRule, type: ColumnType): Attempt {
  if ('refusal' in masked) return masked
  return {
    expression: `${masked.expression}::${castType(type)}`,
    uniqueness: masked.uniqueness,
    form: [mask, JSON.stringify(domain), canonicalForm(type), masked.form].join(' '),
    probe: null,
  }
}

/** The modifier of a text type is its length and the size of a header (VARHDRSZ). */
const HEADER_BYTES = 4

/**
 * Returns the expression of a user as a value of the column's type. A cast would cut a text that is too long, without a
 * word; the function behind an assignment refuses it. The line break ends a comment.
 */
function ofUser(expression: string, type: ColumnType): string {
  const value = `(${expression}\n)`
  const limit = lengthLimit(type)
  if (limit === null || !isOneOf(type, 'varchar', 'bpchar')) return `${value}::${castType(type)}`
  return call(type.base, `${value}::pg_catalog.${type.base}`, limit + HEADER_BYTES, 'false')
}

/** Returns the mask for the rows that the condition does not exempt. A condition that is NULL exempts none. */
export function maskUnless(condition: string, reference: string, expression: string): string {
  return `CASE WHEN (${condition}\n) THEN ${reference} ELSE ${expression} END`
}
