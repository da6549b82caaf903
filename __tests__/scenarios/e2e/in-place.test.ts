/** A restore into the live database goes on where `pg_restore --clean` does, whatever the database had before. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { compareDatabases } from '../../../lab/postgres/compare.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

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
  for (const jobs of name === 'an older schema' ? ['1', '3'] : ['1']) {
    test(`a dump arrives in place in ${name}, with ${jobs} jobs`, async () => {
      const { postgres } = bench
      await postgres.createDatabase('live')
      try {
        await postgres.psql('live', sql)
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
    { length: 100 },
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

test('a connection that is lost during the COMMIT is not tried again, because the COMMIT may have been done', async () => {
  const { postgres } = bench
  await postgres.createDatabase('live')
  await postgres.psql(
    'live',
    `create table audit ();
     create function lose() returns trigger language plpgsql as
       $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
     create constraint trigger lose after insert on audit deferrable initially deferred for each row execute function lose();
     create function note_ddl() returns event_trigger language plpgsql as $$ begin insert into public.audit default values; end $$;
     create event trigger note_ddl on ddl_command_end when tag in ('CREATE VIEW') execute function note_ddl();`,
  )
  const inputs = { 'dump-key': key, swap: 'false', overwrite: 'true', retries: '2' }
  const run = await bench.run('restore', 'folder', 'live', inputs)
  assert.equal(run.exitCode, 1)
  assert.match(run.errors.join('\n'), /The commit of the restore was not confirmed; check the database/)
  assert.match(run.log, /This error is permanent; not retrying/)
  await postgres.psql('postgres', 'drop database live')
})

/** A table with one of each part that is dropped with it, and what was there when it was dumped. */
const EARLIER = `
  create table events (id int, at date not null) partition by range (at);
  create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
  insert into events select n, date '2024-01-01' + n from generate_series(0, 99) n;
  create table orders (id int primary key, note text check (note <> ''), constraint positive check (id > 0));
  create index by_note on orders (note); comment on table orders is 'dumped'; grant select on orders to reader;
  create function wipe() returns void language sql as 'delete from public.orders';
  create function keep() returns void language sql as 'select';
  create publication feed for table orders; create table untouched (id int);`
const LATER: [string, string][] = [
  [
    'TABLE public.events_2025',
    `create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01')`,
  ],
  ['INDEX public.later', 'create index later on orders (note, id)'],
  ['INDEX public.events_id_idx', 'create index on events (id)'],
  ['CONSTRAINT public.orders later_unique', 'alter table orders add constraint later_unique unique (note)'],
  [
    'CHECK CONSTRAINT public.orders later_check',
    'alter table orders add constraint later_check check (id < 1000)',
  ],
  [
    'TRIGGER public.orders later',
    'create trigger later before update on orders for each row execute function suppress_redundant_updates_trigger()',
  ],
  ['POLICY public.orders later', 'create policy later on orders using (true)'],
  ['ROW SECURITY public.orders', 'alter table orders enable row level security'],
  ['RULE public.orders later', 'create rule later as on delete to orders do also select 1'],
  ['STATISTICS public.later_stats', 'create statistics later_stats on id, note from orders'],
  ['SEQUENCE public.orders_seq', 'create sequence orders_seq owned by orders.id'],
  ['COMMENT public.COLUMN orders.note', `comment on column orders.note is 'later'`],
  ['PUBLICATION TABLE public.feed untouched', 'alter publication feed add table untouched'],
  ['ACL public.TABLE events (rights of reader)', 'grant insert on events to reader'],
  ['ACL public.COLUMN orders.note (rights of PUBLIC)', 'grant update (note) on orders to public'],
  ['ACL public.FUNCTION wipe()', 'revoke execute on function wipe() from public'],
]

test('C27 what is not in the dump is not taken away silently', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', 'create role reader')
  await postgres.createDatabase('grown')
  await postgres.psql('grown', EARLIER)
  const earlier = await bench.dump('folder', 'grown', { 'owner-and-acl': 'true' })
  const restore = (more: Record<string, string> = {}) =>
    bench.run('restore', 'folder', 'grown', {
      'dump-key': earlier,
      swap: 'false',
      overwrite: 'true',
      ...more,
    })
  for (const [, sql] of LATER) await postgres.psql('grown', sql)
  await postgres.psql('grown', 'alter table orders add phone text')
  await postgres.psql('grown', `insert into events values (1, '2025-03-01')`)

  const acls = LATER.map(([what]) => what).filter((what) => what.startsWith('ACL'))
  const whole = LATER.map(([what]) => what).filter((what) => !what.startsWith('ACL'))
  for (const more of [{}, { 'dry-run': 'true' }] as Record<string, string>[]) {
    const run = await restore(more)
    assert.match(run.log, /which have more columns: COLUMN public\.orders\.phone/)
    failed(run, /A restore in place would take away 17 objects that the dump does not have/)
    const [, list = ''] = /does not have: (.*)\. The target is unchanged/.exec(run.errors.join()) ?? []
    const lines = list.split('; ')
    for (const what of [...whole, ...acls, 'ACL public.TABLE orders (rights of reader)'])
      assert.ok(lines.includes(what), `${what}\n${lines.join('\n')}`)
  }
  assert.equal(await postgres.psql('grown', 'select count(*) from events'), '101')

  // With owners and grants, those of the dump replace those of the target.
  failed(await restore({ 'owner-and-acl': 'true' }), /would take away 16 objects/)
  const named = [...whole, 'ACL public.*'].join('\n')
  failed(await restore({ overwrite: whole.join('\n') }), /would take away 4 objects/)
  const run = succeeded(await restore({ overwrite: `true\n${named}` }))
  assert.match(run.log, /Not in the dump, and replaced as overwrite says: .*TABLE public\.events_2025/)
  assert.equal(await postgres.psql('grown', 'select count(*) from events'), '100')
  assert.equal(await postgres.psql('grown', 'select count(*) from untouched'), '0')
  succeeded(await restore())
})
