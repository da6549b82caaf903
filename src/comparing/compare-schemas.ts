import { unifiedDiff } from './line-diff.ts'
import type { SchemaObject } from './schema-objects.ts'
import { inOrderOf } from './table-definition.ts'

/** An object that only one schema has, or that has another definition in each. */
export type Difference = {
  change: 'added' | 'gone' | 'changed'
  type: string
  schema: string
  name: string
  /** A unified diff; null if the definition may hold a password. */
  diff: string | null
}

/** Options of these objects may hold passwords, such as the connection string of a subscription. */
const MAY_HOLD_PASSWORD = /^(SUBSCRIPTION|USER MAPPING|SERVER|FOREIGN DATA WRAPPER)$/

/** Tables, whose columns count in any order. */
const HAS_COLUMNS = /^(TABLE|FOREIGN TABLE)$/

/** Compares two schemas. What only `after` has is added, and what only `before` has is gone. */
export function compareSchemas(
  before: readonly SchemaObject[],
  after: readonly SchemaObject[],
): Difference[] {
  const [old, now] = [Map.groupBy(before, identityOf), Map.groupBy(after, identityOf)]
  const identities = [...new Set([...old.keys(), ...now.keys()])].sort()
  return identities.flatMap((identity) => compareNamesakes(old.get(identity) ?? [], now.get(identity) ?? []))
}

function identityOf({ type, schema, name }: SchemaObject): string {
  return JSON.stringify([schema, type, name])
}

/** Compares objects of one name: operators and casts, for example, have no types in their names. */
function compareNamesakes(before: readonly SchemaObject[], after: readonly SchemaObject[]): Difference[] {
  const left = [...before]
  const added: SchemaObject[] = []
  for (const object of after) {
    const same = left.findIndex((other) => isSame(other, object))
    if (same < 0) added.push(object)
    else left.splice(same, 1)
  }
  const pairs = Math.max(left.length, added.length)
  return Array.from({ length: pairs }, (_, index) => describe(left[index], added[index]))
}

function isSame(before: SchemaObject, after: SchemaObject): boolean {
  return before.definition === after.definition || before.definition === comparable(before, after)
}

/** Returns the later definition in the form in which it can be compared with the earlier one. */
function comparable(before: SchemaObject, after: SchemaObject): string {
  return HAS_COLUMNS.test(after.type) ? inOrderOf(after.definition, before.definition) : after.definition
}

function describe(before: SchemaObject | undefined, after: SchemaObject | undefined): Difference {
  const { type, schema, name } = (after ?? before)!
  const change = !before ? 'added' : !after ? 'gone' : 'changed'
  const now = before && after ? comparable(before, after) : (after?.definition ?? '')
  const diff = MAY_HOLD_PASSWORD.test(type) ? null : unifiedDiff(before?.definition ?? '', now)
  return { change, type, schema, name, diff }
}
