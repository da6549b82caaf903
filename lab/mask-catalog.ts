/** Databases as a plan for masks sees them, without a server. */

import assert from 'node:assert/strict'
import { parseMaskFile } from '../src/masking/mask-file.ts'
import { type MaskPlan, planMasks } from '../src/masking/plan.ts'
import type { Catalog, Column, ForeignKey, Part, Table, UniqueKey } from '../src/masking/tables.ts'

const TYPES: Record<string, Column['type']> = {
  id: { type: 'integer', base: 'int4', kind: 'b', isArray: false },
  big: { type: 'bigint', base: 'int8', kind: 'b', isArray: false },
  text: { type: 'text', base: 'text', kind: 'b', isArray: false },
  short: { type: 'character varying(20)', base: 'varchar', kind: 'b', isArray: false },
  tiny: { type: 'character varying(4)', base: 'varchar', kind: 'b', isArray: false },
  time: { type: 'timestamp with time zone', base: 'timestamptz', kind: 'b', isArray: false },
  tags: { type: 'text[]', base: 'text', kind: 'b', isArray: true },
  json: { type: 'jsonb', base: 'jsonb', kind: 'b', isArray: false },
  uuid: { type: 'uuid', base: 'uuid', kind: 'b', isArray: false },
}

/** Reads `name type [!] [= source,…]`; the type is a key of `TYPES`. */
export function column(text: string): Column {
  const [, name, type, required, sources] = /^(.+?) (\w+)(!?)(?: = (.*))?$/.exec(text)!
  return {
    name: name!,
    type: TYPES[type!]!,
    declared: TYPES[type!]!.type,
    notNull: required === '!',
    computedFrom: sources?.split(',') ?? null,
    deterministic: true,
  }
}

function part(name: string, columns: string[], uniqueKeys: Partial<UniqueKey>[] = []): Part {
  return {
    oid: '1',
    schema: 'public',
    name,
    columns: columns.map(column),
    uniqueKeys: uniqueKeys.map((key) => ({
      ...{ name: 'key', kind: 'unique index', columns: [], computedFrom: [], nullsDistinct: true },
      ...key,
    })),
    checks: [],
    rows: null,
    condition: null,
    hidden: false,
  }
}

/** A table of the schema public, such as `table('users', ['id id!', 'email text'])`. */
export function table(name: string, columns: string[], uniqueKeys: Partial<UniqueKey>[] = []): Table {
  return {
    schema: 'public',
    name,
    extension: null,
    partitionKey: [],
    parts: [part(name, columns, uniqueKeys)],
  }
}

/** The name of a table of the schema public. */
export const ofPublic = (name: string) => ({ schema: 'public', name })

/** Reads `orders(user) -> users(email)`. */
export function foreignKey(text: string, full = false): ForeignKey {
  const [, from, columns, to, keys] = /^(\w+)\((.*)\) -> (\w+)\((.*)\)$/.exec(text)!
  return {
    name: `${from}_fkey`,
    table: ofPublic(from!),
    columns: columns!.split(', '),
    references: ofPublic(to!),
    keys: keys!.split(', '),
    full,
    validated: true,
  }
}

/** A database with the given tables. */
export function catalog(tables: Table[], rest: Partial<Catalog> = {}): Catalog {
  const known = tables.map(({ schema, name }) => ({ schema, name, kind: 'table' as const, root: null }))
  return { tables, known, foreignKeys: [], viewSources: [], hasLargeObjects: false, ...rest }
}

type Options = { pgDumpArgs?: string[]; keepsLargeObjects?: boolean }

const OPTIONS = { pgDumpArgs: [], keepsLargeObjects: false }

/** Plans with rules for `tables:`, each line of which is indented by two spaces. */
export function plan(rules: string, database: Catalog, options: Options = {}): MaskPlan {
  const text = /^tables:/m.test(rules) ? rules : `tables:\n${rules}`
  return planMasks(parseMaskFile('mask.yml', text), database, { ...OPTIONS, ...options })
}

/** The refusals, without the heading and without the missing rules. */
export function refusals(rules: string, database: Catalog, options: Options = {}): string[] {
  const [problems] = failure(rules, database, options).split(/^These tables and columns/m)
  const lines = problems!.split('\n')
  assert.match(lines[0]!, /^mask mask\.yml does not fit the database, so nothing was dumped:$/)
  return lines
    .slice(1)
    .filter((line) => /^ {2}\S/.test(line) && !line.endsWith('(only a warning)'))
    .map((line) => line.trim())
}

/** The whole message of a plan that is refused. */
export function failure(rules: string, database: Catalog, options: Options = {}): string {
  try {
    plan(rules, database, options)
  } catch (error) {
    return (error as Error).message
  }
  return assert.fail('nothing was refused')
}

/** Each table of a plan with what happens to it and to its columns. */
export const show = ({ tables }: MaskPlan) =>
  tables.map(({ name, data, columns }) => [
    `${name} ${data}`,
    ...columns.map(
      ({ name: column, treatment, because }) =>
        `${column} ${typeof treatment === 'string' ? treatment : treatment.mask}${because ? ` ${because}` : ''}`,
    ),
  ])
