/** Masked dumps that must not be made, and what the log of a failed one may show. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { findClients, restore } from '../../../lab/postgres/clients.ts'
import { startProxy } from '../../../lab/proxy.ts'
import type { ActionOptions, ActionRun } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

const RAW = 'raw-canary'
const KEY = 'c4nary-mask-key-0123456789abcdef'

const MASKS = `tables:
  public.users:
    keep: [id]
    columns: {email: email, phone: digits, bio: token}
  public.events:
    keep: [at]
    columns: {who: token}
  public.countries: keep
`

let bench: Bench
before(async () => {
  bench = await startBench({ settings: { log_statement: 'all' } })
})
after(() => bench?.[Symbol.asyncDispose]())

let made = 0

/** Makes a database of its own, because each case changes it. */
async function makeDatabase(change = ''): Promise<string> {
  const name = `app_${made++}`
  await bench.postgres.createDatabase(name)
  await bench.postgres.psql(
    name,
    `create table users (id int primary key, email text unique, phone text, bio text);
     insert into users select n, '${RAW}' || n || '@real.example.org', '+49 170 ' || n, '${RAW}' from generate_series(1, 4000) as n;
     create table events (at date not null, who text) partition by range (at);
     create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
     insert into events values ('2025-03-01', '${RAW}');
     create table countries (code text primary key, name text);
     insert into countries values ('de', 'Deutschland'); ${change}`,
  )
  return name
}

function start(database: string, masks: string, more: Inputs = {}, options: ActionOptions = {}) {
  const cwd = tempFolder('workspace').path
  writeFileSync(join(cwd, 'masks.yml'), masks)
  const inputs = { mask: 'masks.yml', 'mask-key': KEY, ...more }
  return bench.start('dump', 'folder', database, inputs, { cwd, ...options })
}

const dump = (...step: Parameters<typeof start>) => start(...step).done

/** The rows of tables in a dump, as COPY writes them. */
async function contentOf({ outputs }: ActionRun, ...tables: string[]): Promise<string> {
  const chosen = tables.flatMap((table) => ['-t', table])
  const file = join(bench.folder, outputs['dump-key']!)
  const text = await restore(findClients().at(-1)!, {}, ['-a', '-f', '-', ...chosen, file])
  const copies = text.match(/^COPY [\s\S]*?^\\\.$/gm) ?? []
  assert.equal(copies.length, tables.length)
  return copies.join('\n')
}

/** What the server was told to do since `from`, a place in its log. */
const statements = (from: number) => bench.postgres.log().slice(from)

test('what the mask file does not decide is refused before a row is read, with the rules to add', async () => {
  const undecided = `alter table users add ssn text; alter table users rename bio to life; create table "Neu" (a int)`
  const cases: [change: string, yaml: RegExp[]][] = [
    [undecided, [/^ *public\.Neu:\n(.*\n)*? +a: #/m, /^ *public\.users:\n(.*\n)*? +life: #/m, / +ssn: #/]],
    ['alter table users alter phone type date using null', [/phone.*digits|digits.*phone/]],
  ]
  for (const [change, yaml] of cases) {
    const database = await makeDatabase(change)
    const harm = await witness(bench)
    const from = bench.postgres.log().length
    const run = await dump(database, MASKS)
    await harm.assertHarmless(run, /users/, { secrets: [RAW, KEY] })
    for (const expected of yaml) assert.match(run.log, expected, change)
    assert.doesNotMatch(statements(from), /\bCOPY\b/, change)
  }
  failed(await dump(await makeDatabase(undecided), MASKS, { 'dry-run': 'true' }), /Neu[\s\S]*users/)
})

test('a dry run shows the plan and stores nothing; a new partition follows its table', async () => {
  const database = await makeDatabase(
    `create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
     insert into events values ('2026-03-01', '${RAW}')`,
  )
  const from = bench.postgres.log().length
  const rehearsed = succeeded(await dump(database, MASKS, { 'dry-run': 'true' }))
  assert.match(rehearsed.log, /public\.events: all rows/)
  assert.match(rehearsed.summary, /### 📋 Masks of .*public\.users/s)
  assert.equal(rehearsed.outputs['dump-key'], undefined)
  assert.doesNotMatch(statements(from), /\bCOPY\b/)
  const run = succeeded(await dump(database, MASKS))
  const rows = await contentOf(run, 'events_2025', 'events_2026')
  const lines = [...rows.matchAll(/^(202\d-03-01)\t([0-9a-f]{32})$/gm)]
  assert.deepEqual(lines.map(([, at]) => at).sort(), ['2025-03-01', '2026-03-01'])
  assert.equal(lines[0]![2], lines[1]![2])
})

test('a change that is committed while the dump waits for its table is in the plan; a lock that stays is named', async () => {
  const database = await makeDatabase()
  await using migration = await bench.postgres.connect(database)
  const change =
    'alter table users rename email to phone2; alter table users rename phone to email; alter table users rename phone2 to phone'
  await migration.query(`begin; ${change}; alter table users add ssn text`)
  failed(await dump(database, MASKS, { 'lock-wait-timeout': '1s' }), /locked; .* raise lock-wait-timeout/)
  const step = start(database, MASKS)
  const waits = `select count(*) as n from pg_locks where not granted and database = (select oid from pg_database where datname = '${database}')`
  await until(
    async () => (await bench.postgres.query<{ n: number }>('postgres', waits))[0]!.n > 0,
    'the dump to wait',
  )
  await migration.query('commit')
  const run = failed(await step.done, /users/)
  assert.match(run.log, /ssn: #/)
})

test('a reader that is killed costs an attempt; its successor has the same masks, and no session shows the key', async () => {
  // More than fits between the server and the action, so that the reader is at work.
  const database = await makeDatabase(
    `alter table users add pad text; update users set pad = repeat(md5(id::text), 200)`,
  )
  const masks = MASKS.replace('keep: [id]', 'keep: [id, pad]')
  const passed: Buffer[] = []
  await using proxy = await startProxy(bench.postgres, (_, side, bytes) => {
    if (side === 'server') passed.push(Buffer.from(bytes))
  })
  const url = bench.postgres.url(database, { port: proxy.port })
  proxy.stallAfter(60_000)
  const step = start(database, masks, { retries: '1', 'database-url': url, compression: 'none' })
  const readers = `select pid, query from pg_stat_activity where datname = '${database}' and state = 'active' and query like 'COPY (SELECT "public"."users"%'`
  let found: { pid: number; query: string }[] = []
  await until(async () => {
    found = await bench.postgres.query('postgres', readers)
    return found.length > 0
  }, 'a reader')
  const queries = await bench.postgres.psql(
    'postgres',
    'select string_agg(query, chr(10)) from pg_stat_activity',
  )
  for (const text of [KEY, Buffer.from(KEY).toString('hex')]) assert.equal(queries.includes(text), false)
  await bench.postgres.psql('postgres', `select pg_terminate_backend(${found[0]!.pid})`)
  await bench.postgres.psql(database, `update users set pad = ''`)
  proxy.heal()
  const run = succeeded(await step.done)
  assert.match(run.warnings.join('\n'), /Attempt 1 of 2 failed/)
  assert.equal(Buffer.concat(passed).indexOf(RAW), -1)
  const lines = run.commandLines.join('\n')
  assert.match(lines, /psql/)
  assert.equal(lines.includes(KEY), false)
  const again = succeeded(await dump(database, masks))
  assert.ok((await contentOf(run, 'users')) === (await contentOf(again, 'users')), 'the masks differ')
})

test('an error of a mask names the table and the SQLSTATE, and no value', async () => {
  const database = await makeDatabase()
  const masks = MASKS.replace('phone: digits', 'phone: {sql: "phone::int::text"}')
  const harm = await witness(bench)
  const run = await dump(database, masks)
  await harm.assertHarmless(run, /^mask could not read public\.users.*SQLSTATE 22P02/, {
    secrets: [RAW, KEY, '\\+49 170'],
  })
  assert.doesNotMatch(run.log, /DETAIL|CONTEXT|\+49 170/)
  const wrong = MASKS.replace('phone: digits', 'phone: {sql: "absent(phone)"}')
  failed(await dump(database, wrong), /function absent\(text\) does not exist/)
})

test('what looks like personal data in a column that is kept fails the dump, by the name of the column', async () => {
  const database = await makeDatabase(`insert into countries values ('fr', 'ask jane@${RAW}.org')`)
  const harm = await witness(bench)
  const run = await dump(database, MASKS)
  await harm.assertHarmless(run, /public\.countries\.name: 1 value with an e-mail address/, {
    secrets: [RAW],
  })
  succeeded(await dump(database, `${MASKS}allow: [public.countries.name]\n`))
  succeeded(await dump(database, MASKS, { 'leak-scan': 'off' }))
})

test('what cannot be masked is refused in a sentence', async () => {
  const database = await makeDatabase()
  const cases: [masks: string, more: Inputs, says: RegExp][] = [
    [MASKS, { 'pg-dump-args': '--role=postgres' }, /pg-dump-args has --role/],
    [MASKS, { mask: 'absent.yml' }, /^mask "absent\.yml" cannot be read: it does not exist/],
    ['tables:\n  public.users: keeep\n', {}, /masks\.yml cannot be used.*line 2.*did you mean "keep"/s],
  ]
  for (const [masks, more, says] of cases) failed(await dump(database, masks, more), says)
})
