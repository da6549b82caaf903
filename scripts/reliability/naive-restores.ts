import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTables } from '../../lab/postgres/compare.ts'
import { processes } from '../../lab/processes.ts'
import { parseCommands } from '../../lab/runner/runner-commands.ts'
import type { FaultAction } from '../../lab/s3/s3.ts'
import type { Naive } from './naive-dumps.ts'
import {
  DUMP,
  describeEnd,
  describeLive,
  killProgram,
  makeLive,
  type NaiveWorld,
  RESTORE,
  until,
} from './naive-world.ts'

const always = Number.POSITIVE_INFINITY

/** A restore whose download breaks. */
function broken(action: FaultAction, times = 1): Naive {
  return async (world) => {
    await makeLive(world)
    world.s3.fault({ operation: 'GetObject', key: 'naive.dump', nth: 2, times, action })
    const end = await world.shell(RESTORE, { AWS_MAX_ATTEMPTS: '2' }, 15_000)
    return `${describeEnd(end)}; ${await describeLive(world)}`
  }
}

/** A dump of a database that makes trouble, restored with the usual line. */
async function restoreOf(
  world: NaiveWorld,
  sql: string,
  afterwards = '',
): Promise<{ end: string; output: string }> {
  const { postgres } = world
  await postgres.psql('postgres', 'drop database if exists trouble with (force)')
  await postgres.createDatabase('trouble')
  await postgres.psql('trouble', sql)
  if (afterwards) await postgres.psql('trouble', afterwards)
  await makeLive(world)
  const end = await world.shell('pg_dump -Fc > trouble.dump; pg_restore --dbname=live trouble.dump', {
    PGDATABASE: 'trouble',
  })
  return { end: describeEnd(end), output: end.output }
}

const strict = `create function strict() returns boolean language sql as 'select true';
  create table t (id int, note text check (strict())); create table u as select 1 as id;`
const notStrict = `create or replace function strict() returns boolean language sql as 'select false'`

export const RESTORES: Readonly<Record<number, Naive>> = {
  18: broken({ type: 'truncate', after: 1_000_000 }),
  19: broken({ type: 'ignore-range' }),
  20: broken({ type: 'close', after: 1000 }, always),
  21: broken({ type: 'stall', after: 1000 }, always),
  22: async (world) => {
    await makeLive(world)
    const bytes = await world.s3.read('naive.dump')
    bytes[Math.floor(bytes.length / 2)]! ^= 1
    await world.s3.write('naive.dump', bytes)
    const end = await world.shell(RESTORE)
    const same =
      JSON.stringify([...(await readTables(world.postgres, 'live'))]) ===
      JSON.stringify([...(await readTables(world.postgres, 'app'))])
    return `${describeEnd(end)}; ${await describeLive(world)}, and the rows are ${same ? 'the same' : 'not what was dumped'}`
  },
  23: async (world) => {
    await world.postgres.psql('postgres', 'drop database if exists live with (force)')
    await world.postgres.createDatabase('live')
    const end = await world.shell(
      'pg_dump > all.sql; head -c $(($(stat -c %s all.sql) / 2)) all.sql | head -n -1 > half.sql; psql -1 -v ON_ERROR_STOP=1 -q --dbname=live -f - < half.sql',
    )
    return `${describeEnd(end)}; ${await describeLive(world)}`
  },
  24: async (world) => {
    const end = await world.shell(
      'pg_dump -Fc -Z0 | head -c 5000000 > half.dump; pg_restore --list half.dump > list',
    )
    return `\`pg_restore --list\` of half an archive: ${describeEnd(end)}`
  },
  25: async (world) => {
    const { end } = await restoreOf(world, `${strict} insert into t values (1, 'x')`, notStrict)
    const rows = await world.postgres.psql('live', 'select count(*) from t')
    return `${end}; the live database has the new tables, and ${rows} of 1 rows in one of them`
  },
  28: async (world) => {
    await world.postgres.psql('postgres', 'drop role if exists owner_elsewhere').catch(() => '')
    await world.postgres.psql('postgres', 'create role owner_elsewhere')
    await world.postgres.psql('postgres', 'drop database if exists trouble with (force)')
    await world.postgres.createDatabase('trouble')
    await world.postgres.psql(
      'trouble',
      'create table t (id int); alter table t owner to owner_elsewhere; grant select on t to owner_elsewhere',
    )
    await world.other.createDatabase('live')
    const env = { ...world.other.env('live') }
    const script = `pg_dump -Fc > trouble.dump; export ${Object.keys(env)
      .map((name) => `${name}=$NEW_${name}`)
      .join(' ')}; pg_restore --dbname=live trouble.dump`
    const news = Object.fromEntries(Object.entries(env).map(([name, value]) => [`NEW_${name}`, value]))
    const end = await world.shell(script, { PGDATABASE: 'trouble', ...news })
    return `${describeEnd(end)}, ${/errors ignored on restore: (\d+)/.exec(end.output)?.[1] ?? 'no'} errors`
  },
  29: async ({ other, shell }) => {
    await other.psql('template1', 'create table bulk (leftover int)')
    await other.createDatabase('fresh')
    const env = Object.fromEntries(
      Object.entries(other.env('fresh')).map(([name, value]) => [`NEW_${name}`, value]),
    )
    const names = Object.keys(other.env('fresh'))
      .map((name) => `${name}=$NEW_${name}`)
      .join(' ')
    const end = await shell(
      `pg_dump -Fc > app.dump; export ${names}; pg_restore --dbname=fresh app.dump`,
      env,
    )
    await other.psql('template1', 'drop table bulk')
    return `${describeEnd(end)}: ${/relation "bulk" already exists/.test(end.output) ? 'the table of template1 is in the way' : 'done'}`
  },
  30: async (world) => {
    await makeLive(world)
    const { proxy } = world
    proxy.stallAfter(5_000_000, 'client')
    const before = proxy.bytes.client
    const started = world.start(RESTORE, { PGHOST: proxy.host, PGPORT: String(proxy.port) })
    await until(() => proxy.bytes.client - before >= 5_000_000)
    await killProgram(started, /pg_restore/)
    const end = await started.done
    proxy.cutNow('reset')
    return `${describeEnd(end)}; ${await describeLive(world)}`
  },
  31: async (world) => {
    await makeLive(world)
    await using session = await world.postgres.connect('live')
    await session.query('select 1')
    const end = await world.shell(`dropdb live && createdb live && ${RESTORE}`)
    return `${describeEnd(end)}: ${/being accessed by other users/.test(end.output) ? '"is being accessed by other users"' : 'done'}`
  },
  32: async (world) => {
    await makeLive(world)
    await world.postgres.psql(
      'postgres',
      `alter database live set work_mem = '64MB'; comment on database live is 'ours'`,
    )
    const end = await world.shell(`dropdb live && createdb live && ${RESTORE}`)
    const sql = `select count(*) from pg_db_role_setting where setdatabase = (select oid from pg_database where datname = 'live')`
    return `${describeEnd(end)}, and ${await world.postgres.psql('postgres', sql)} of 1 settings left`
  },
  33: async (world) => {
    await makeLive(world)
    const started = world.start(`dropdb live && sleep 30 && createdb live && ${RESTORE}`)
    await until(
      () =>
        started.child.exitCode !== null ||
        processes().some(({ parent, argv }) => parent === started.child.pid && argv[0] === 'sleep'),
    )
    process.kill(-started.child.pid!, 'SIGKILL')
    return `killed between two steps: ${await describeLive(world)}`
  },
  34: async (world) => {
    await world.postgres.psql(
      'postgres',
      `drop role if exists plain; create role plain login password 'plain'`,
    )
    const end = await world.shell(
      `pg_dump -Fc > app.dump; export PGUSER=plain PGPASSWORD=plain; createdb fresh`,
    )
    return `${describeEnd(end)} after the dump: ${/permission denied/.test(end.output) ? 'permission denied to create database' : 'done'}`
  },
  37: async (world) => {
    const { output } = await world.shell(`psql -XAtd "dbname=postgres" -c 'select current_database()'`)
    return `a database named \`dbname=postgres\` leads to "${output.trim()}"`
  },
  38: async (world) => {
    const env = {
      PGHOSTADDR: '127.0.0.1',
      PGPORT: String(world.other.port),
      PGPASSWORD: world.other.password,
    }
    const { output } = await world.shell(
      `psql -XAt postgres://postgres@db.example/postgres -c 'show port'`,
      env,
    )
    const there = output.trim() === String(world.other.port)
    return there
      ? 'a URL to db.example leads to the server of the ambient variables, silently'
      : `says ${output.trim()}`
  },
  39: async (world) => {
    const started = world.start(
      `pg_dump -Fc 'postgres://postgres:canary-secret@127.0.0.1:${world.proxy.port}/app' > x.dump`,
    )
    world.proxy.stallAfter(0)
    let seen = false
    await until(() => {
      seen ||= processes().some(
        ({ argv }) => /pg_dump/.test(argv[0]!) && argv.join(' ').includes('canary-secret'),
      )
      return seen || started.child.exitCode !== null
    })
    world.proxy.cutNow('reset')
    await started.done
    return seen ? 'every user of the machine reads the password in the list of processes' : 'not seen'
  },
  40: async (world) => {
    const evil = 'x\n::add-mask::e\n::error::obeyed\n##[warning]obeyed'
    writeFileSync(join(world.folder, 'evil'), evil)
    const { output } = await restoreOf(
      world,
      `${strict} insert into t values (1, E'${evil.replaceAll('\n', '\\n')}')`,
      notStrict,
    )
    const { length } = parseCommands(output)
    return `the runner obeys ${length} commands that a row of the table held`
  },
}

/** Scenarios break what is stored; a restore needs it whole, and a dump needs to find nothing. */
export async function prepareStore({ s3, proxy, shell }: NaiveWorld, number: number): Promise<void> {
  s3.heal()
  proxy.heal()
  for (const key of [...s3.objects().keys()]) await s3.remove(key)
  for (const { key, uploadId } of s3.uploads())
    await shell(`aws s3api abort-multipart-upload --bucket backups --key ${key} --upload-id ${uploadId}`)
  if (RESTORES[number]) await shell(DUMP)
}
