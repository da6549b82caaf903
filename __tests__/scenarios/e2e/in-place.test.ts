/** A restore into the live database goes on where `pg_restore --clean` does, whatever the database had before. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { compareDatabases } from '../../../lab/postgres/compare.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench
let key: string

/** Every part of an object that `pg_dump` drops before the object, in the kinds whose drop may fail. */
const SOURCE = `
  create function note() returns trigger language plpgsql as 'begin return new; end';
  create table customer (id int primary key, name text);
  insert into customer values (1, 'Ada');
  create view by_customer as select id, name from customer group by id;
  create table "order" (id int, number serial, customer int references customer, primary key (id)) partition by range (id);
  create table order_1 partition of "order" for values from (0) to (10);
  create index on "order" (number);
  create trigger note before insert on "order" for each row execute function note();
  insert into "order" (id, customer) values (1, 1);
  create domain positive as int;
  create table amount (id int, value positive);
  insert into amount values (1, 1);
  alter domain positive add constraint above_zero check (value > 0) not valid;`

/** As the database was before: without columns and parts that it has now, and with others of the same names. */
const TARGETS: Record<string, string> = {
  'an empty database': '',
  'the same database': SOURCE,
  'an older schema': `
    create table "order" (id int);
    create table amount (id int, value int);
    create view order_1 as select 1 as id; drop view order_1;
    create table customer (id int generated always as identity, name text)`,
}

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('shop')
  await bench.postgres.psql('shop', SOURCE)
  key = await bench.dump('folder', 'shop')
})
after(() => bench?.[Symbol.asyncDispose]())

for (const [name, sql] of Object.entries(TARGETS)) {
  for (const jobs of ['1', '3']) {
    test(`a dump arrives in place in ${name}, with ${jobs} jobs`, async () => {
      const { postgres } = bench
      await postgres.createDatabase('live')
      try {
        await postgres.psql('live', `${sql || 'select'};`)
        const inputs = { 'dump-key': key, swap: 'false', overwrite: 'true', jobs }
        succeeded(await bench.run('restore', 'folder', 'live', inputs))
        assert.deepEqual(await compareDatabases(postgres, 'shop', postgres, 'live'), [])
      } finally {
        await postgres.psql('postgres', 'drop database live')
      }
    })
  }
}

test('an error of psql is the reason, also when pg_restore notices the broken pipe first', async () => {
  const { postgres } = bench
  await postgres.createDatabase('wide')
  // The last drop of many fails, when pg_restore waits for the pipe, which has room for a part of the comments only.
  const tables = Array.from(
    { length: 300 },
    (_, n) => `create table t${n} (id int); comment on table t${n} is '${'long '.repeat(4000)}';`,
  )
  await postgres.psql('wide', tables.join('\n'))
  const wide = await bench.dump('folder', 'wide')
  await postgres.psql('wide', 'create view mine as select * from t0')
  const run = await bench.run('restore', 'folder', 'wide', {
    'dump-key': wide,
    swap: 'false',
    overwrite: 'true',
  })
  assert.equal(run.exitCode, 1)
  assert.match(run.errors.join('\n'), /cannot drop table .*t0 because other objects depend on it/)
})
