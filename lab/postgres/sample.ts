import { readFileSync } from 'node:fs'
import type { Postgres } from './postgres.ts'

const sql = readFileSync(new URL('./sample/shop.sql', import.meta.url), 'utf8')

/** Fills a database with the sample shop: about 230,000 rows at scale 1. Creates the database when it is missing. */
export async function loadSample(
  postgres: Postgres,
  database: string,
  { scale = 1 }: { scale?: number } = {},
): Promise<void> {
  await ensureDatabase(postgres, database)
  await using session = await postgres.connect(database)
  await session.query(`set shop.scale = '${scale}'`)
  await session.query(sql)
}

/** Adds a wide table with the given megabytes of rows, quickly, for tests of memory and speed. */
export async function makeData(postgres: Postgres, database: string, megabytes: number): Promise<void> {
  await ensureDatabase(postgres, database)
  await using session = await postgres.connect(database)
  // A kilobyte a row, of which a third does not compress. External storage: TOAST would try to compress it.
  await session.query(`
    create table if not exists bulk (id bigint, at timestamptz, hash text, filler text, payload bytea);
    alter table bulk alter filler set storage external, alter payload set storage external;
    insert into bulk
    select n, timestamptz '2026-01-01 00:00+00' + n * interval '1 second', md5(n::text) || md5((-n)::text),
      repeat(md5((n / 3)::text), 18), decode(md5(n::text) || md5((n + 1)::text) || repeat('00ff', 46), 'hex')
    from generate_series(1, ${megabytes} * 1070) as n`)
}

async function ensureDatabase(postgres: Postgres, database: string): Promise<void> {
  if (!(await postgres.databases()).includes(database)) await postgres.createDatabase(database)
}
