/** `npm run mask-file`, which writes the first mask file of a database. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { noClient, type Run, runProgram } from '../../../lab/benches/session-bench.ts'
import { KEY, openMasked } from '../../../lab/postgres/mask-cases.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { root } from '../../../lab/runner/action-inputs.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { findPsql } from '../../../scripts/mask-file/find-psql.ts'
import { resolveFilters } from '../../../src/database/selection.ts'
import { parseMaskFile } from '../../../src/masking/mask-file.ts'
import { maskKey } from '../../../src/masking/mask-key.ts'
import { planMasks } from '../../../src/masking/plan.ts'
import { readTables } from '../../../src/masking/read-tables.ts'
import { tryPlan } from '../../../src/masking/try-plan.ts'
import { currentEnvironment } from '../../../src/tools/options.ts'

const SCHEMA = `
  CREATE SCHEMA "Odd ""schema""";
  CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, "createdAt" timestamptz, "E-Mail 2" text, settings jsonb);
  INSERT INTO users VALUES (1, 'anna@company.com', now(), 'anna@company.com', '{}');
  CREATE TABLE "Odd ""schema"""."naïve: table #1" (
    "null" text, "*" text, "- dash" text, "a: b # c" text, "{x}" text, "'quoted'" text, """double""" text, "true" text,
    "1" int, "名前" text, "user" int REFERENCES users);
  CREATE TABLE sessions (key text);
  CREATE TABLE empty ();
  CREATE TABLE events (created_at timestamptz, ip inet) PARTITION BY RANGE (created_at);
  CREATE TABLE events_1 PARTITION OF events DEFAULT;
  CREATE EXTENSION file_fdw;
  CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
  CREATE FOREIGN TABLE remote (line text) SERVER files OPTIONS (filename '/dev/null');
  CREATE MATERIALIZED VIEW copied AS SELECT line FROM remote;`

const RULES = `tables:
  '"Odd ""schema"""."naïve: table #1"':
    keep: [user]
    columns:
      "null": # looks like: text
      "*": # looks like: text
      "- dash": # looks like: text
      "a: b # c": # looks like: text
      "{x}": # looks like: text
      "'quoted'": # looks like: text
      '"""double"""': # looks like: text
      "true": # looks like: text
      "1": # integer
      名前: # looks like: text
  public.empty: keep
  public.events:
    keep: [created_at]
    columns:
      ip: # looks like: null
  # looks like: none
  public.sessions:
    columns:
      key: # looks like: text
  public.users:
    keep: [id, createdAt]
    columns:
      email: # looks like: email
      E-Mail 2: # looks like: email
      settings: # looks like: {json: []}
`

describe('the first mask file', { skip: noClient }, () => {
  let postgres: Postgres
  const folder = tempFolder('mask-file').path
  before(async () => {
    postgres = await startPostgres()
    await postgres.createDatabase('shop')
    await postgres.psql('shop', SCHEMA)
    await postgres.createDatabase('nothing')
  })
  after(() => postgres?.[Symbol.asyncDispose]())

  async function write(args: string[], env: Record<string, string> = {}): Promise<Run> {
    const script = join(root, 'scripts/mask-file.ts')
    const run = await runProgram(process.execPath, [script, ...args], {
      PATH: process.env.PATH!,
      INIT_CWD: folder,
      ...env,
    })
    assert.ok(!(run.stdout + run.stderr).includes(postgres.canary), 'the password is shown')
    return run
  }

  /** The file without the comment at its beginning. */
  const rulesIn = (text: string) => text.replace(/^(#.*\n)+/, '')

  test('names every table and column, under names that YAML or SQL would misread', async () => {
    const { code, stdout, stderr } = await write([postgres.url('shop')])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^# Every table and column of the database\. /)
    assert.equal(rulesIn(stdout), RULES)
    assert.deepEqual(stderr.trimEnd().split('\n'), [
      'materialized view public.copied reads the foreign table public.remote, so the restore would fill it with rows that are not masked; leave it out with exclude-table-data: public.copied',
      `5 tables of 127.0.0.1:${postgres.port}/shop`,
    ])
    // It decides nothing by itself, and is a mask file once every column has its mask.
    const open = RULES.match(/: #/g)!.length
    assert.throws(
      () => parseMaskFile('mask.yml', stdout),
      ({ message }: Error) => message.match(/a value is missing/g)?.length === open,
    )
    const { tables } = parseMaskFile('mask.yml', stdout.replaceAll(/: # .*/g, ': empty'))
    assert.deepEqual(
      tables.map((table) => (table.data === 'masked' ? table.columns.size : table.data)),
      [10, 'keep', 1, 1, 3],
    )
  })

  test('has guesses that a plan accepts', async () => {
    const { stdout } = await write([postgres.url('shop')])
    const accepted = stdout
      .replaceAll(/: # looks like: (.*)/g, ': $1')
      .replaceAll(/: # .*/g, ': {sql: "NULL"}')
    await using session = await openMasked(postgres, maskKey(KEY), 'shop')
    await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const selection = await resolveFilters(session, EVERYTHING)
    const catalog = await readTables(session, { selection, extensions: [], major: 15 })
    const options = { pgDumpArgs: [], keepsLargeObjects: false }
    const plan = planMasks(parseMaskFile('mask.yml', accepted), { ...catalog, viewSources: [] }, options)
    await tryPlan(session, plan)
    assert.deepEqual(plan.warnings, [])
  })

  test('goes to a new file, and replaces none', async () => {
    const args = ['--output', 'pgclone-mask.yml']
    const first = await write(args, { DATABASE_URL: postgres.url('shop') })
    assert.deepEqual([first.code, first.stdout], [0, ''], first.stderr)
    const written = readFileSync(join(folder, 'pgclone-mask.yml'), 'utf8')
    assert.equal(rulesIn(written), RULES)
    const second = await write(args, { DATABASE_URL: postgres.url('nothing') })
    assert.equal(second.code, 1)
    assert.equal(
      second.stderr,
      'mask-file: pgclone-mask.yml exists; name another file with --output, and take over what is missing\n',
    )
    assert.equal(readFileSync(join(folder, 'pgclone-mask.yml'), 'utf8'), written)
  })

  test('of an empty database has no rule', async () => {
    const { stdout } = await write([postgres.url('nothing')])
    assert.equal(rulesIn(stdout), 'tables: {}\n')
    parseMaskFile('mask.yml', stdout)
  })

  test('is not written when the database cannot be read, and the reason is one sentence', async () => {
    const cases: [string[], RegExp][] = [
      [[], /^mask-file: name one database: set DATABASE_URL, or run "npm run mask-file -- /],
      [[postgres.url('absent')], /^mask-file: Cannot connect to \S+\/absent: there is no database "absent"/],
      [
        [postgres.url('shop', { password: `wrong-${postgres.canary}` })],
        /^mask-file: Cannot connect to \S+\/shop: .*password/,
      ],
      [
        [`postgres://u:${postgres.canary}@x@h/db`],
        /^mask-file: the address of the database cannot be read; /,
      ],
      [['mysql://u@h/db'], /^mask-file: the address of the database must start with postgres:/],
    ]
    for (const [args, reason] of cases) {
      const { code, stdout, stderr } = await write(args)
      assert.deepEqual([code, stdout], [1, ''], args.join(' '))
      assert.match(stderr, reason)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    }
  })
})

test('a machine without psql is told what to install', async () => {
  await using machine = tempFolder('machine')
  mkdirSync(join(machine.path, 'etc'))
  writeFileSync(join(machine.path, 'etc/os-release'), 'ID=debian\n')
  const environment = { ...currentEnvironment(), root: machine.path, env: { PATH: '' } }
  await assert.rejects(findPsql(environment), {
    message: /^psql is missing; install the package postgresql-client-18 \(https:\S+ has all versions\)$/,
  })
})
