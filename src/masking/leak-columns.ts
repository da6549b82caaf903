import type { ColumnType } from './column-type.ts'

/**
 * The types whose text is not searched for leaks. Of all others, such as those of extensions, it is unknown what they hold.
 *
 * Numbers are among them although a card number can be one: of the keys with 16 digits that start like a card's, every tenth
 * has a valid check digit by chance.
 */
const WITHOUT_TEXT = new Set([
  ...['bool', 'bit', 'varbit', 'bytea', 'uuid'],
  ...['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'money', 'oid', 'xid', 'xid8', 'pg_lsn'],
  ...['date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval'],
  ...['inet', 'cidr', 'macaddr', 'macaddr8'],
  ...['point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'geometry', 'geography'],
  ...['vector', 'halfvec', 'sparsevec'],
])

/** Returns whether values of this type, or the elements of its arrays, may be texts that the leak scan has to search. */
export function mayHoldText({ base, kind }: ColumnType): boolean {
  const hasLabels = kind === 'e'
  const isRange = kind === 'r' || kind === 'm'
  return !(hasLabels || isRange || WITHOUT_TEXT.has(base))
}
