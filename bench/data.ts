import type { Postgres } from '../lab/postgres/postgres.ts'

/**
 * Fills a database with about so many megabytes that look like several applications at once: pgbench's tables, wide
 * text, jsonb events with several indexes, and many small tables. The same data for the same size.
 */
export async function makeBenchData(postgres: Postgres, database: string, megabytes: number): Promise<void> {
  await postgres.createDatabase(database)
  await using session = await postgres.connect(database)
  const rows = (perMegabyte: number) => Math.round(megabytes * perMegabyte)
  await session.query(`
    CREATE TABLE accounts (aid bigint PRIMARY KEY, bid int, abalance int, filler char(84));
    INSERT INTO accounts SELECT n, n % 10, n::bigint * 7919 % 100000, '' FROM generate_series(1, ${rows(2500)}) AS n;

    CREATE TABLE articles (id bigint PRIMARY KEY, title text, body text);
    INSERT INTO articles
      SELECT n, md5(n::text), (SELECT string_agg(md5((n * 31 + w)::text) || ' lorem ipsum dolor sit amet ', '')
                               FROM generate_series(1, 16) AS w)
      FROM generate_series(1, ${rows(260)}) AS n;

    CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, kind text, payload jsonb);
    INSERT INTO events
      SELECT n, '2026-01-01'::timestamptz + n * interval '7 seconds', (ARRAY['view', 'click', 'buy', 'leave'])[1 + n % 4],
             jsonb_build_object('user', n % 5000, 'session', md5((n / 20)::text), 'path', '/product/' || n % 700,
                                'tags', jsonb_build_array('a' || n % 13, 'b' || n % 17), 'value', n::bigint * 7919 % 100000 / 100.0)
      FROM generate_series(1, ${rows(1700)}) AS n;
    CREATE INDEX ON events (at);
    CREATE INDEX ON events (kind, at);
    CREATE INDEX ON events ((payload->>'user'));

    DO $$ BEGIN
      FOR i IN 1..200 LOOP
        EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, name text UNIQUE, at timestamptz DEFAULT now())', i);
        EXECUTE format('INSERT INTO small_%s SELECT n, md5(n::text) FROM generate_series(1, 50) AS n', i);
      END LOOP;
    END $$;
    ANALYZE`)
}
