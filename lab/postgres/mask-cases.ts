import { join } from 'node:path'
import { parseDatabaseUrl } from '../../src/database/connection/database-url.ts'
import { literal, Session } from '../../src/database/connection/session.ts'
import { type ColumnType, castType } from '../../src/masking/column-type.ts'
import { maskColumn } from '../../src/masking/mask-column.ts'
import { parseMaskFile } from '../../src/masking/mask-file.ts'
import { type MaskKey, maskKey, withMaskKey } from '../../src/masking/mask-key.ts'
import { type MaskRule, SIMPLE_MASKS } from '../../src/masking/rules.ts'
import { findClients } from './clients.ts'
import { EXPECTED_MASKS } from './expected-masks.ts'
import type { Postgres } from './postgres.ts'

/** The key of all expected masks. */
export const KEY = 'a key for tests, and for nothing else'

const type = (type: string, base: string, kind: ColumnType['kind'] = 'b', isArray = false): ColumnType => ({
  type,
  base,
  kind,
  isArray,
})

/** Domains, each with the type behind it. That of a domain over a domain is the one behind both. */
const DOMAINS: Readonly<Record<string, { over: string; type: ColumnType }>> = {
  word: { over: 'varchar(20)', type: type('character varying(20)', 'varchar') },
  shout: { over: `public.word CHECK (VALUE = upper(VALUE))`, type: type('character varying(20)', 'varchar') },
  count: { over: 'int CHECK (VALUE >= 0)', type: type('integer', 'int4') },
  price: { over: 'numeric(10,2)', type: type('numeric(10,2)', 'numeric') },
  key: { over: 'uuid', type: type('uuid', 'uuid') },
  blob: { over: 'bytea', type: type('bytea', 'bytea') },
  document: { over: 'jsonb', type: type('jsonb', 'jsonb') },
}

/** The types of the cases, as `format_type` and the catalog describe them. */
export const TYPES: Readonly<Record<string, ColumnType>> = {
  text: type('text', 'text'),
  varchar: type('character varying', 'varchar'),
  varchar10: type('character varying(10)', 'varchar'),
  varchar20: type('character varying(20)', 'varchar'),
  char10: type('character(10)', 'bpchar'),
  char30: type('character(30)', 'bpchar'),
  char40: type('character(40)', 'bpchar'),
  name: type('name', 'name'),
  citext: type('public.citext', 'citext'),
  smallint: type('smallint', 'int2'),
  integer: type('integer', 'int4'),
  bigint: type('bigint', 'int8'),
  numeric: type('numeric', 'numeric'),
  numeric10_0: type('numeric(10,0)', 'numeric'),
  numeric10_2: type('numeric(10,2)', 'numeric'),
  numeric20_0: type('numeric(20,0)', 'numeric'),
  real: type('real', 'float4'),
  double: type('double precision', 'float8'),
  money: type('money', 'money'),
  boolean: type('boolean', 'bool'),
  uuid: type('uuid', 'uuid'),
  bytea: type('bytea', 'bytea'),
  json: type('json', 'json'),
  jsonb: type('jsonb', 'jsonb'),
  interval: type('interval', 'interval'),
  date: type('date', 'date'),
  timestamp: type('timestamp without time zone', 'timestamp'),
  tsvector: type('tsvector', 'tsvector'),
  xml: type('xml', 'xml'),
  inet: type('inet', 'inet'),
  range: type('int4range', 'int4range', 'r'),
  mood: type('public.mood', 'mood', 'e'),
  texts: type('text[]', 'text', 'b', true),
  numbers: type('integer[]', 'int4', 'b', true),
  uuids: type('uuid[]', 'uuid', 'b', true),
  words: type('public.word[]', 'word', 'd', true),
  ...mapValues(DOMAINS, ({ type }) => type),
}

function mapValues<From, To>(record: Record<string, From>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

/** Returns a rule from its short form in a case: a word, a word and its domain, or a key of the mask file and its value. */
export function ruleOf(text: string): MaskRule {
  const [word = '', ...more] = text.split(' ')
  const rest = more.join(' ')
  const written = { json: { json: more }, value: { value: rest }, sql: { sql: rest } }
  const rule = Object.hasOwn(written, word)
    ? written[word as keyof typeof written]
    : { mask: word, ...(rest && { domain: rest }) }
  const [table] = parseMaskFile(
    'mask.yml',
    JSON.stringify({ tables: { 'a.b': { columns: { v: rule } } } }),
  ).tables
  if (table?.data !== 'masked') throw new Error('no rule')
  return table.columns.get('v')!
}

/** Opens a session that has a key, in a database with the types of the cases. */
export async function openMasked(postgres: Postgres, key: MaskKey, database = 'postgres'): Promise<Session> {
  const psql = join(findClients().at(-1)!.bin, 'psql')
  const connection = withMaskKey(parseDatabaseUrl(postgres.url(database)), key)
  const session = await Session.open(connection, { psql, environment: { PATH: process.env.PATH } })
  const [row] = await session.query<{ exists: boolean }>(
    `SELECT to_regtype('public.mood') IS NOT NULL AS exists`,
  )
  if (!row!.exists)
    await session.execute(
      `CREATE TYPE public.mood AS ENUM ('sad', 'happy')`,
      'CREATE EXTENSION citext SCHEMA public',
      ...Object.entries(DOMAINS).map(([name, { over }]) => `CREATE DOMAIN public.${name} AS ${over}`),
    )
  return session
}

/**
 * Returns the mask of a value as the server computes it.
 *
 * @param declared the type of the value, if it is a domain
 */
export async function maskedValue(
  session: Session,
  type: ColumnType,
  rule: MaskRule,
  value: string | null,
  declared = castType(type),
): Promise<string | null> {
  const mask = maskColumn(rule, type, 't.v')
  if ('refusal' in mask) throw new Error(mask.refusal)
  const given = value === null ? 'NULL' : literal(value)
  const [row] = await session.query<{ masked: string | null }>(
    `SELECT (${mask.expression})::pg_catalog.text AS masked FROM (SELECT ${given}::${declared} AS v) AS t`,
  )
  return row!.masked
}

/** Returns the cases that a server answers in another way, as `type rule value: mask`. NULL stays NULL in all of them. */
export async function wrongMasks(postgres: Postgres): Promise<string[]> {
  await using session = await openMasked(postgres, maskKey(KEY))
  const wrong: string[] = []
  const check = async (name: string, rule: string, value: string | null, expected: string | null) => {
    const declared = Object.hasOwn(DOMAINS, name) ? `public.${name}` : undefined
    const masked = await maskedValue(session, TYPES[name]!, ruleOf(rule), value, declared).catch(String)
    if (masked !== expected) wrong.push(`${name} ${rule} ${value ?? 'NULL'}: ${masked}`)
  }
  for (const [name, rule, value, expected] of EXPECTED_MASKS) {
    await check(name, rule, value, expected)
    await check(name, rule, null, null)
    await check(name, 'null', value, null)
  }
  return wrong
}

/** Returns the masks and types that go together and have no case, as `mask type`. */
export function untestedMasks(): string[] {
  const tested = new Set(EXPECTED_MASKS.map(([type, rule]) => `${rule.split(' ')[0]} ${type}`))
  const pairs = Object.entries(TYPES).flatMap(([name, type]) =>
    [...SIMPLE_MASKS, 'json'].flatMap((mask) =>
      'refusal' in maskColumn(ruleOf(mask), type, 't.v') ? [] : [`${mask} ${name}`],
    ),
  )
  // The mask `null` is tried with every case.
  return pairs.filter((pair) => !pair.startsWith('null ') && !tested.has(pair))
}
