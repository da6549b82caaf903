/**
 * Checks of JSON that another program may have written: strict about the type of every known field, lenient about
 * fields that a later release may add.
 */
export type Check = (value: unknown) => boolean

/** C0 and C1 control characters and the line separators of Unicode. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** A text of any characters, as names in PostgreSQL are. */
export function isText(maxLength: number): Check {
  return (value) => typeof value === 'string' && value.length <= maxLength
}

/** A text without control characters and line breaks. */
export function isLine(maxLength: number): Check {
  return (value) => isText(maxLength)(value) && !CONTROL.test(value as string)
}

/** A time in ISO 8601, UTC. */
export function isTime(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(value) &&
    !Number.isNaN(Date.parse(value))
  )
}

/** A number of bytes, rows or milliseconds. */
export function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** One of a few texts. */
export function isOneOf(...texts: readonly unknown[]): Check {
  return (value) => texts.includes(value)
}

/** What a check accepts, or null. */
export function orNull(check: Check): Check {
  return (value) => value === null || check(value)
}

/** What a check accepts, or nothing. */
export function optional(check: Check): Check {
  return (value) => value === undefined || check(value)
}

/** An array whose every item passes a check. */
export function isListOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check)
}

/** An object whose every value passes a check. */
export function isRecordOf(check: Check): Check {
  return (value) => isObject(value) && Object.values(value).every(check)
}

/** An object whose known fields pass their checks. */
export function hasShape(fields: Readonly<Record<string, Check>>): Check {
  return (value) => isObject(value) && wrongField(value, fields) === null
}

/** The first field that does not pass its check, or null. */
export function wrongField(
  value: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, Check>>,
): string | null {
  return Object.keys(fields).find((name) => !fields[name]!(own(value, name))) ?? null
}

/** Whether a value is an object and not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A field of the object itself: one that it inherits is not in the JSON. */
function own(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined
}
