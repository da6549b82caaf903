import { after, before } from 'node:test'
import type { Compression } from '../../src/archive/archive.ts'
import { findClients } from '../postgres/clients.ts'
import { type Postgres, startPostgres } from '../postgres/postgres.ts'
import { tempFolder } from '../temp.ts'

/** What a dump may hold that a careless reader takes for something else. */
const HOSTILE_DATABASE = `
  create role reader;
  create schema "Mixed Case"; create table "Mixed Case"."Weird ""Table""" (id serial primary key, "a b" text);
  insert into "Mixed Case"."Weird ""Table""" ("a b")
    select case n % 7 when 0 then E'\\\\.' when 1 then E'a\\nb\\r\\n' when 2 then E'\\t\\\\N' when 3 then null
      when 4 then '' when 5 then E'\\\\\\\\.\\n\\\\.' else repeat('é', n) end
    from generate_series(1, 5000) n;
  create table one (a text); insert into one values (E'\\\\.'), (E'\\n'), (E'\\\\.\\n\\n\\n'), ('');
  create table empty (a int); create table nothing (); insert into nothing select from generate_series(1, 37);
  create table bytes (a bytea, b jsonb, c bit varying);
  insert into bytes select decode(repeat(lpad(to_hex(n % 256), 2, '0'), n), 'hex'), jsonb_build_object('k', E'\\n\\\\', 'n', n), b'101'
    from generate_series(16, 300) n;
  create table wide (a text); insert into wide select repeat(md5(n::text), 40000) from generate_series(1, 5) n;
  create table narrow (a int); insert into narrow select generate_series(1, 50000);
  create table part (a int, b text) partition by range (a);
  create table part_1 partition of part for values from (0) to (50);
  create table part_2 partition of part default; insert into part select n, n from generate_series(0, 99) n;
  create view seen as select * from one; create materialized view kept as select * from narrow where a < 10;
  create index on narrow (a); comment on table one is 'it''s';
  select lo_from_bytea(50001, 'abc'), lo_from_bytea(50002, convert_to(repeat('x', 2000000), 'UTF8')),
    lo_from_bytea(50003, ''), lo_from_bytea(3000000001, 'a large OID');
  grant select on large object 50001, 50002 to reader; comment on large object 50003 is 'empty';
`

/** Every table with its rows and a hash of them, and every large object with its rights. */
const FINGERPRINT = `
  select format('%I.%I', n.nspname, c.relname) as name,
    (xpath('//c/text()', query_to_xml(format('select count(*) as c from %s', c.oid::regclass), false, true, '')))[1]::text
      as rows,
    (xpath('//h/text()', query_to_xml(format('select md5(string_agg(t::text, chr(10) order by t::text)) as h
      from %s t', c.oid::regclass), false, true, '')))[1]::text as hash
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and n.nspname !~ '^pg_|^information_schema'
  union all
  select m.oid::text, m.lomacl::text, md5(lo_get(m.oid)) || coalesce(obj_description(m.oid, 'pg_largeobject'), '')
  from pg_largeobject_metadata m order by 1`

export const METHODS: Compression[] = [{ method: 'none' }, { method: 'gzip', level: 1 }, { method: 'zstd' }]
export const clients = findClients()
export const skip = clients.length === 0 && 'no PostgreSQL client on this machine'

/** A server with the database `hostile`, for the tests of one file. */
export function useHostileServer() {
  const scope = new AsyncDisposableStack()
  let postgres: Postgres
  let databases = 0
  before(async () => {
    if (skip) return
    postgres = scope.use(await startPostgres({ locale: 'C.UTF-8' }))
    await postgres.createDatabase('hostile')
    await postgres.psql('hostile', HOSTILE_DATABASE)
  })
  after(() => scope.disposeAsync())
  return {
    folder: scope.use(tempFolder('archive')).path,
    env: (database: string) => postgres.env(database),
    psql: (database: string, sql: string) => postgres.psql(database, sql),
    fingerprint: (database: string) => postgres.query<{ name: string; rows: string }>(database, FINGERPRINT),
    freshDatabase: async () => {
      const name = `copy_${++databases}`
      await postgres.createDatabase(name, 'template template0')
      return name
    },
  }
}
