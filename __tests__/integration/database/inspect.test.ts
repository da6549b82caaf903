import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import { countAgain, dumpSchema } from '../../../src/database/inspect.ts'

const skip =
  noClient ||
  (findClients().some(({ major }) => major >= 18) && 'a client of this machine can dump PostgreSQL 18')

test('a schema that pg_dump cannot read fails with the reason of pg_dump', { skip }, async () => {
  await using newer = await startPostgres({ package: 'postgres-18' })
  const connection = parseDatabaseUrl(newer.url('postgres'))
  await assert.rejects(
    dumpSchema(connection, { pgDump: program('pg_dump') }, environment),
    /server version mismatch/,
  )
})

test('tables are counted many at a time, partitions with their root', { skip: noClient }, async () => {
  const { postgres, open } = await startSessionBench()
  await postgres.createDatabase('many')
  await postgres.query(
    'many',
    `DO $$ BEGIN FOR i IN 1..250 LOOP
       EXECUTE format('CREATE TABLE "t %s" AS SELECT generate_series(1, %s)', i, i % 7);
     END LOOP; END $$;
     CREATE TABLE whole (a int) PARTITION BY LIST (a);
     CREATE TABLE one PARTITION OF whole FOR VALUES IN (1); CREATE TABLE two PARTITION OF whole FOR VALUES IN (2);
     INSERT INTO whole VALUES (1), (2), (2)`,
  )
  const session = await open('many')
  let queries = 0
  const counting = Object.assign(Object.create(session), {
    query: (select: string) => {
      queries += 1
      return session.query(select)
    },
  })
  const dumped = [
    ...Array.from({ length: 250 }, (_, n) => ({ schema: 'public', name: `t ${n + 1}`, rows: (n + 1) % 7 })),
    { schema: 'public', name: 'one', rows: 2 },
    { schema: 'public', name: 'two', rows: 1 },
  ]
  const { expected, counts } = await countAgain(counting, dumped)
  const sorted = (tables: typeof counts) => tables.map((table) => JSON.stringify(table)).sort()
  assert.deepEqual(sorted(counts), sorted(expected))
  assert.equal(counts.find(({ name }) => name === 'whole')?.rows, 3)
  assert.equal(queries, 1 + Math.ceil(252 / 100))
})
