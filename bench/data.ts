import type { Postgres } from '../lab/postgres/postgres.ts'

/** What a source database looks like. The same name and scale give the same data. */
const MAKERS = {
  small: (scale: number) => mixed(10 * scale),
  medium: (scale: number) => mixed(100 * scale),
  large: (scale: number) => mixed(1000 * scale),
  table: (scale: number) => events(3_200_000 * scale),
  people: (scale: number) => people(2_500_000 * scale),
  tables: (scale: number) => manyTables(20_000 * scale),
  objects: (scale: number) => largeObjects(200_000 * scale),
  partitions: (scale: number) => partitions(5_000 * scale),
  huge: (scale: number) => plain({ tables: 4, megabytes: 4000 * scale }),
  'link-table': (scale: number) => plain({ tables: 1, megabytes: 200 * scale }),
  'link-large': (scale: number) => plain({ tables: 1, megabytes: 1000 * scale }),
  'link-tables': (scale: number) => plain({ tables: 8, megabytes: 200 * scale }),
}

export type DataName = keyof typeof MAKERS

/** Makes a database of this name. */
export async function makeData(postgres: Postgres, name: DataName, scale: number): Promise<void> {
  await postgres.createDatabase(name)
  await using session = await postgres.connect(name)
  for (const statement of MAKERS[name](scale)) await session.query(statement)
  await session.query('ANALYZE')
  // What making it has left to write must not fall to the first contender.
  await session.query('CHECKPOINT')
}

const series = (count: number) => `generate_series(1, ${Math.max(1, Math.round(count))}) AS n`

const EVENTS = `
  SELECT n, '2026-01-01'::timestamptz + n * interval '7 seconds', (ARRAY['view', 'click', 'buy', 'leave'])[1 + n % 4],
         jsonb_build_object('user', n % 5000, 'session', md5((n / 20)::text), 'path', '/product/' || n % 700,
                            'tags', jsonb_build_array('a' || n % 13, 'b' || n % 17), 'value', n::bigint * 7919 % 100000 / 100.0)`

const EVENTS_TABLE =
  'CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, kind text, payload jsonb)'

/** Several applications at once: pgbench's accounts, wide text, jsonb events with several indexes, 200 small tables. */
function mixed(megabytes: number): string[] {
  return [
    `CREATE TABLE accounts (aid bigint PRIMARY KEY, bid int, abalance int, filler char(84));
     INSERT INTO accounts SELECT n, n % 10, n::bigint * 7919 % 100000, '' FROM ${series(megabytes * 2500)}`,
    `CREATE TABLE articles (id bigint PRIMARY KEY, title text, body text);
     INSERT INTO articles
       SELECT n, md5(n::text), (SELECT string_agg(md5((n * 31 + w)::text) || ' lorem ipsum dolor sit amet ', '')
                                FROM generate_series(1, 16) AS w)
       FROM ${series(megabytes * 260)}`,
    `${EVENTS_TABLE};
     INSERT INTO events ${EVENTS} FROM ${series(megabytes * 1700)};
     CREATE INDEX ON events (at);
     CREATE INDEX ON events (kind, at);
     CREATE INDEX ON events ((payload->>'user'))`,
    `DO $$ BEGIN
       FOR i IN 1..200 LOOP
         EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, name text UNIQUE, at timestamptz DEFAULT now())', i);
         EXECUTE format('INSERT INTO small_%s SELECT n, md5(n::text) FROM generate_series(1, 50) AS n', i);
       END LOOP;
     END $$`,
  ]
}

/** One table with three indexes. */
function events(rows: number): string[] {
  return [
    `${EVENTS_TABLE}; INSERT INTO events ${EVENTS} FROM ${series(rows)}`,
    `CREATE INDEX ON events (at); CREATE INDEX ON events (kind, at)`,
  ]
}

/** One table of ten columns, of which some are about persons. The domain of the addresses is one that the scan accepts. */
function people(rows: number): string[] {
  return [
    `CREATE TABLE people (id bigint PRIMARY KEY, email text NOT NULL, full_name text, phone text, city text, street text,
                          about text, score int, joined_at timestamptz, active boolean);
     INSERT INTO people
       SELECT n, 'person' || n || '@example.org', 'First' || n % 5000 || ' Last' || n % 7000, '+49 30 ' || 1000000 + n % 9000000,
              (ARRAY['Berlin', 'Paris', 'Oslo', 'Rome'])[1 + n % 4], md5(n::text) || ' ' || n % 200,
              repeat(md5((n * 31)::text) || ' lorem ipsum dolor sit amet ', 4), n % 1000,
              '2026-01-01'::timestamptz + n * interval '7 seconds', n % 3 = 0
       FROM ${series(rows)}`,
  ]
}

/** Statements that are run in pieces, because a transaction keeps a lock for every table that it makes. */
function inPieces(count: number, body: string): string[] {
  const size = 1000
  const pieces = Math.ceil(count / size)
  return Array.from({ length: pieces }, (_, piece) => {
    const last = Math.min(Math.round(count), (piece + 1) * size)
    return `DO $$ BEGIN FOR i IN ${piece * size + 1}..${last} LOOP ${body} END LOOP; END $$`
  })
}

/** Tables of two rows, as a database with a schema for each tenant has. */
function manyTables(count: number): string[] {
  const body = `
    EXECUTE format('CREATE TABLE t%s (id int, name text)', i);
    EXECUTE format('INSERT INTO t%s VALUES (1, ''one''), (2, ''two'')', i);`
  return inPieces(count, body)
}

function largeObjects(count: number): string[] {
  return inPieces(count, `PERFORM lo_from_bytea(0, convert_to('large object ' || i, 'UTF8'));`)
}

/** A partitioned table with an index, and a few rows in each partition. */
function partitions(count: number): string[] {
  const body = `
    EXECUTE format('CREATE TABLE measured_%s PARTITION OF measured FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
    EXECUTE format('INSERT INTO measured_%s SELECT %s, md5(n::text) FROM generate_series(1, 10) AS n', i, i);`
  return [
    'CREATE TABLE measured (day int, value text) PARTITION BY RANGE (day); CREATE INDEX ON measured (day)',
    ...inPieces(count, body),
  ]
}

/** Tables of wide rows without indexes, which are quickly made. Half of each row is random, as in real data. */
function plain({ tables, megabytes }: { tables: number; megabytes: number }): string[] {
  const rows = (megabytes * 1e6) / 1000 / tables
  const value = `repeat(md5(n::text), 15) || repeat('lorem ipsum ', 40)`
  return Array.from(
    { length: tables },
    (_, table) =>
      `CREATE TABLE wide_${table} (id bigint, value text);
       ALTER TABLE wide_${table} ALTER COLUMN value SET STORAGE EXTERNAL;
       INSERT INTO wide_${table} SELECT n, ${value} FROM ${series(rows)}`,
  )
}
