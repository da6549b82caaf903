/** Masked dumps that must not be made, and what the log of a failed one may show. */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { startProxy } from '../../../lab/proxy.ts'
import type { ActionOptions } from '../../../lab/runner/action.ts'
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

/** What the server was told to do since `from`, a place in its log. */
const statements = (from: number) => bench.postgres.log().slice(from)

test('what the mask file does not decide is refused before a row is read, with the rules to add', async () => {
  const cases: [change: string, says: RegExp, yaml: RegExp][] = [
    ['alter table users add ssn text', /users/, /^ *public\.users:\n(.*\n)*? +ssn: #/m],
    ['create table "Neu" (a int)', /Neu/, /^ *public\.Neu:\n(.*\n)*? +a: #/m],
    ['alter table users rename bio to life', /users/, /^ *public\.users:\n(.*\n)*? +life: #/m],
    ['alter table users alter phone type date using null', /phone/, /digits/],
  ]
  for (const [change, says, yaml] of cases) {
    const database = await makeDatabase(change)
    const harm = await witness(bench)
    const from = bench.postgres.log().length
    const run = await dump(database, MASKS)
    await harm.assertHarmless(run, says, { secrets: [RAW, KEY] })
    assert.match(run.log.replaceAll(/^ {2}/gm, '  '), yaml, change)
    assert.doesNotMatch(statements(from), /\bCOPY\b/, change)
    failed(await dump(database, MASKS, { 'dry-run': 'true' }), says)
  }
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
  succeeded(await bench.run('restore', 'folder', 'partitions', { 'dump-key': run.outputs['dump-key']! }))
  const who = await bench.postgres.psql(
    'partitions',
    'select count(*), count(distinct who), max(length(who)) from events',
  )
  assert.equal(who, '2|1|32')
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

test('the second wall stops a pg_dump that delivers what is not kept whole', async () => {
  const database = await makeDatabase()
  const { bin } = findClients().at(-1)!
  const folder = tempFolder('programs').path
  for (const name of ['pg_dump', 'pg_restore', 'psql']) {
    const path = join(folder, name)
    const drop = 'for a do shift; case $a in --exclude-table-data=*) ;; *) set -- "$@" "$a" ;; esac; done'
    // The version makes sure that these are the programs that are used.
    const version = `[ "$1" = --version ] && echo "${name} (PostgreSQL) 16.99" && exit`
    writeFileSync(
      path,
      `#!/bin/sh\n${version}\n${name === 'pg_dump' ? drop : ''}\nexec ${bin}/${name} "$@"\n`,
    )
    chmodSync(path, 0o755)
  }
  const harm = await witness(bench)
  const env = { PATH: `${folder}${delimiter}${process.env.PATH}` }
  const run = await dump(database, MASKS, { 'postgres-version': '16' }, { env })
  await harm.assertHarmless(
    run,
    /mask stopped the dump, because pg_dump delivers .*public\.(users|events_2025)/,
    {
      secrets: [RAW],
    },
  )
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
  proxy.heal()
  const run = succeeded(await step.done)
  assert.match(run.warnings.join('\n'), /Attempt 1 of 2 failed/)
  assert.equal(Buffer.concat(passed).indexOf(RAW), -1)
  const lines = run.commandLines.join('\n')
  assert.match(lines, /psql/)
  assert.equal(lines.includes(KEY), false)
  const again = succeeded(await dump(database, masks))
  const other = succeeded(await dump(database, masks, { 'mask-key': '' }))
  assert.match(other.notices.join('\n'), /mask-key is not set/)
  const masked = []
  for (const [n, { outputs }] of [run, again, other].entries()) {
    succeeded(await bench.run('restore', 'folder', `again_${n}`, { 'dump-key': outputs['dump-key']! }))
    masked.push(
      await bench.postgres.psql(
        `again_${n}`,
        'select md5(string_agg(users::text, chr(10) order by id)) from users',
      ),
    )
  }
  assert.equal(masked[0], masked[1])
  assert.notEqual(masked[0], masked[2])
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
  const database = await makeDatabase("select lo_from_bytea(0, 'x')")
  const cases: [masks: string, more: Inputs, says: RegExp][] = [
    [MASKS, { 'pg-dump-args': '--role=postgres' }, /pg-dump-args has --role/],
    [MASKS, { 'pg-dump-args': '--encoding=LATIN1' }, /pg-dump-args has --encoding/],
    [MASKS, { mask: 'absent.yml' }, /^mask "absent\.yml" cannot be read: it does not exist/],
    ['tables: [', {}, /masks\.yml cannot be used.*line 1/],
    ['tables:\n  public.users: keeep\n', {}, /line 2.*did you mean "keep"/],
  ]
  for (const [masks, more, says] of cases) failed(await dump(database, masks, more), says)
  const run = succeeded(await dump(database, MASKS, { 'large-objects': 'keep' }))
  succeeded(await bench.run('restore', 'folder', 'objects', { 'dump-key': run.outputs['dump-key']! }))
  assert.equal(await bench.postgres.psql('objects', 'select count(*) from pg_largeobject_metadata'), '1')
})
