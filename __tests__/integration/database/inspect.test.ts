import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environment, noClient, program } from '../../../lab/benches/session-bench.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import { dumpSchema } from '../../../src/database/inspect.ts'

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
