import { isText } from './column-type.ts'
import { maskColumn } from './mask-column.ts'
import { SIMPLE_MASKS } from './rules.ts'
import type { Column } from './tables.ts'

/** What names of columns usually contain, and the mask for it. The first match counts. */
const NAMES: readonly (readonly [name: RegExp, mask: string])[] = [
  [/e_?mail/, 'email'],
  [/pass(word|wd|_?hash|_?digest|phrase)|_digest$|encrypted_/, '{value: ""}'],
  [/token|secret|api_?key|session_?(id|key)|otp|private_?key|salt|fingerprint/, 'token'],
  [
    /phone|mobile|fax|(^|_)tel(_|$)|zip|postal|postcode|iban|account_(no|number)|card_(no|number)|ssn|tax_(id|number)|vat_/,
    'digits',
  ],
  [
    /(first|last|middle|given|family|full|display|maiden|sur|nick|user|contact|company)_?name|^name$|^author$|^owner$|login/,
    'name',
  ],
  [/birth|(^|_)dob(_|$)/, `{sql: "date_trunc('year', …)::date"}`],
  [/(^|_)ip(_?addr(ess)?)?$|remote_addr|latitude|longitude|(^|_)(lat|lon|lng)$|geo|location/, 'null'],
  [
    /address|street|city|bio|notes?|comments?|description|message|body|text|content|subject|title|reason|feedback/,
    'text',
  ],
]

/** Names of times that are about the row and not about a person. */
const ROW_TIMES =
  /^((created|inserted|updated|modified|changed|deleted|archived|published|synced)(_?(at|on|date|time))?|(date|time)_?(created|inserted|updated|modified|changed|deleted))$/

const TIMES = ['timestamp', 'timestamptz']
const NUMBERS_OF_ROWS = ['int2', 'int4', 'int8', 'uuid']

/**
 * Returns the mask that a column probably needs and can have, or null without a guess. It never decides anything.
 *
 * @param isUnique whether different values must have different masks
 */
export function guessMask(column: Column, isUnique = false): string | null {
  const guess = guessByName(column)
  if (guess === null) return null
  const others = [...(isUnique ? ['token'] : []), ...(guess === 'null' ? ['empty'] : [])]
  return [guess, ...others].find((mask) => suits(mask, column, isUnique)) ?? null
}

/** Whether planning would accept a mask, as far as it can be known from its word. */
function suits(text: string, { name, type, notNull }: Column, isUnique: boolean): boolean {
  const word = SIMPLE_MASKS.find((mask) => mask === text)
  if (!word) return !isUnique || text.startsWith('{sql')
  if (word === 'null') return !notNull && !isUnique
  const mask = maskColumn({ line: 0, mask: word, domain: '' }, type, name)
  return !('refusal' in mask) && (!isUnique || mask.uniqueness === 'unique')
}

function guessByName({ name, type }: Column): string | null {
  if (type.base === 'json' || type.base === 'jsonb') return '{json: []}'
  const mask = NAMES.find(([pattern]) => pattern.test(wordsOf(name)))?.[1]
  if (mask === undefined) return isText(type) ? 'text' : null
  if (type.isArray) return 'empty'
  const needsText = ['email', 'name', 'text'].includes(mask) || mask.startsWith('{value')
  return needsText && !isText(type) ? null : mask
}

/**
 * Whether a column says nothing about a person by itself, so that `keep` can be proposed: a number or UUID that identifies
 * a row, a time at which the row was written.
 *
 * @param isKey whether it is part of the primary key or of a foreign key
 */
export function isHarmless({ name, type }: Column, isKey: boolean): boolean {
  if (type.isArray || type.kind !== 'b') return false
  if (isKey) return NUMBERS_OF_ROWS.includes(type.base)
  return TIMES.includes(type.base) && ROW_TIMES.test(wordsOf(name))
}

/** Returns `created_at` for `createdAt`, `created at` and `Created-At`. */
function wordsOf(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[\s-]+/g, '_')
    .toLowerCase()
}

const DISPOSABLE =
  /(^|_)(sessions?|audits?|audit_logs?|versions|logs?|tokens?|jobs|queue|notifications|caches?)$/

/** Whether a table probably holds rows that a copy can do without. */
export function looksDisposable(table: string): boolean {
  return DISPOSABLE.test(table)
}
