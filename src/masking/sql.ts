/**
 * SQL in which every function and operator has its schema: a user of the database can create others of the same names,
 * and what a mask calls would run with the rights of this session (CVE-2018-1058).
 */

/** Returns a call of a function of PostgreSQL. */
export function call(name: string, ...args: readonly (string | number)[]): string {
  return `pg_catalog.${name}(${args.join(', ')})`
}

/** Returns operands with an operator of PostgreSQL between them. */
export function join(operator: string, ...operands: readonly (string | number)[]): string {
  return `(${operands.join(` OPERATOR(pg_catalog.${operator}) `)})`
}
