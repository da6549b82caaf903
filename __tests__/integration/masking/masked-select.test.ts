import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { environment, noClient, program, runProgram } from '../../../lab/benches/session-bench.ts'
import { KEY } from '../../../lab/postgres/mask-cases.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { clientEnvironment } from '../../../src/database/connection/connection.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import { Session } from '../../../src/database/connection/session.ts'
import { resolveFilters } from '../../../src/database/selection.ts'
import { parseMaskFile } from '../../../src/masking/mask-file.ts'
import { maskKey, withMaskKey } from '../../../src/masking/mask-key.ts'
import { maskedSelect } from '../../../src/masking/masked-select.ts'
import { type MaskPlan, planMasks } from '../../../src/masking/plan.ts'
import { readTables } from '../../../src/masking/read-tables.ts'

const SCHEMA = `
  CREATE DOMAIN word AS varchar(40) CHECK (VALUE <> '');
  CREATE TABLE people (
    gone int, id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(60) NOT NULL UNIQUE,
    code char(20) NOT NULL, country text NOT NULL, name word, folded text GENERATED ALWAYS AS (lower(email)) STORED,
    UNIQUE (country, code));
  ALTER TABLE people DROP COLUMN gone;
  CREATE TABLE "Maße" ("Größe" text);
  CREATE TABLE papers (code varchar(30), country text, body text, FOREIGN KEY (country, code) REFERENCES people (country, code));
  CREATE TABLE mails (at date NOT NULL, email text REFERENCES people (email), body jsonb) PARTITION BY RANGE (at);
  CREATE TABLE mails_1 (body jsonb, email text, at date NOT NULL);
  ALTER TABLE mails ATTACH PARTITION mails_1 FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
  INSERT INTO "Maße" VALUES ('Zoë'), ('SECRET'), (NULL);
  INSERT INTO people (email, code, country, name)
    SELECT 'SECRET' || n || '@example.net', 'SECRET' || n, CASE n % 2 WHEN 0 THEN 'dé' ELSE 'at' END, CASE WHEN n > 5 THEN 'SECRET' END
    FROM generate_series(1, 50) AS n;
  INSERT INTO papers SELECT code, country, repeat('SECRET ', 20) FROM people;
  INSERT INTO mails SELECT '2020-02-02', email, '{"theme": "dark", "from": "SECRET"}' FROM people;`

const MASKS = `
tables:
  public.people:
    keep: [id, country]
    columns: {email: email, code: {mask: token, domain: pérson}, name: {value: Jane}}
  public.Maße:
    unless: '"Größe" = ''Zoë'' -- ünmasked'
    columns: {Größe: name}
  public.papers: {keep: [country], columns: {code: {mask: token, domain: pérson}, body: text}}
  public.mails:
    rows: body->>'theme' <> 'größer'
    keep: [at]
    columns: {email: email, body: {json: [theme]}}
`

describe('what is read of masked tables', { skip: noClient }, () => {
  let postgres: Postgres
  before(async () => {
    postgres = await startPostgres()
  })
  after(() => postgres[Symbol.asyncDispose]())

  async function planOf(database: string): Promise<MaskPlan> {
    const connection = parseDatabaseUrl(postgres.url(database))
    await using session = await Session.open(connection, { psql: program('psql'), environment })
    const selection = await resolveFilters(session, EVERYTHING)
    const catalog = await readTables(session, { selection, extensions: [], major: 15 })
    return planMasks(parseMaskFile('mask.yml', MASKS), catalog, { pgDumpArgs: [], keepsLargeObjects: false })
  }

  /** Reads a database as a dump will, and returns a script that fills another one. */
  async function readData(database: string): Promise<string> {
    const connection = withMaskKey(parseDatabaseUrl(postgres.url(database)), maskKey(KEY))
    const parts = (await planOf(database)).tables.flatMap((table) =>
      table.parts.map((part) => ({ table, part })),
    )
    const scripts = await Promise.all(
      parts.map(async ({ table, part }) => {
        const { columns, select } = maskedSelect(table, part)
        const query = select()
        assert.match(query, /^[\x00-\x7f]*$/)
        const file = join(tempFolder('query').path, 'query.sql')
        writeFileSync(file, `SET search_path = pg_catalog;\nCOPY (${query}) TO STDOUT;\n`)
        const env = { ...clientEnvironment(connection, environment), PGCLIENTENCODING: 'UTF8' }
        const { code, stdout, stderr } = await runProgram(program('psql'), ['-XqAt', '-f', file], env)
        assert.equal(code + stderr, '0')
        const names = columns.map((name) => `"${name}"`).join(', ')
        return `COPY "${part.schema}"."${part.name}" (${names}) FROM stdin;\n${stdout}\\.\n`
      }),
    )
    // The table that the others refer to comes first.
    return scripts
      .toSorted((a, b) => Number(b.includes('."people"')) - Number(a.includes('."people"')))
      .join('')
  }

  for (const encoding of ['UTF8', 'LATIN1'])
    test(`fits every constraint and shows nothing, from a database in ${encoding}`, async () => {
      const [source, copy] = [`source_${encoding}`, `copy_${encoding}`]
      const options = `TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING '${encoding}'`
      for (const database of [source, copy]) {
        await postgres.createDatabase(database, options)
        await postgres.psql(database, SCHEMA)
      }
      await postgres.psql(copy, 'TRUNCATE people, papers, mails, "Maße"')
      const script = await readData(source)
      assert.doesNotMatch(script, /SECRET/i)
      const file = join(tempFolder('data').path, 'data.sql')
      writeFileSync(file, script)
      const env = { ...postgres.env(copy), PGCLIENTENCODING: 'UTF8' }
      const loaded = await runProgram(program('psql'), ['-Xq', '-v', 'ON_ERROR_STOP=1', '-f', file], env)
      assert.equal(loaded.code + loaded.stderr, '0')
      const count = (database: string, sql: string) => postgres.psql(database, `SELECT count(*) FROM ${sql}`)
      for (const sql of [
        'people',
        'mails',
        'papers JOIN people USING (country, code)',
        'people WHERE name IS NULL',
      ])
        assert.equal(await count(copy, sql), await count(source, sql), sql)
      const sizes = await postgres.psql(copy, `SELECT coalesce("Größe", 'NULL') FROM "Maße"`)
      assert.match(sizes, /^Zoë\n[A-Z][a-z]+ [A-Z][a-z]+\nNULL$/)
      assert.equal(await count(copy, 'people WHERE folded = lower(email)'), '50')
      assert.equal(await count(copy, `mails WHERE body = '{"theme": "dark"}'`), '50')
    })

  test('a column that is not in the plan is an error', async () => {
    const plan = await planOf('source_UTF8')
    const table = plan.tables.find(({ name }) => name === 'people')!
    const columns = table.columns.filter(({ name }) => name !== 'email')
    assert.throws(() => maskedSelect({ ...table, columns }, table.parts[0]!), {
      message: 'public.people has the column "email" that its plan does not have',
    })
    assert.throws(() => maskedSelect({ ...table, rows: 'referenced' }, table.parts[0]!), {
      message: 'rows: referenced of public.people is not a condition of single rows',
    })
  })
})
