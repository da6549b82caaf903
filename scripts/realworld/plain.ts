/** What PostgreSQL's own programs make of a database, which is the measure of the Action. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Postgres } from '../../lab/postgres/postgres.ts'
import type { PostgresClient } from '../../src/tools/postgres/provide-client.ts'
import { type Contents, readContents } from './contents.ts'
import { COPY, dropCopy, dropSubscriptions, makeEmptyCopy } from './copy.ts'

const run = promisify(execFile)

/** An error of `pg_restore`, and the object by its row in a catalogue. */
interface RestoreError {
  catalogue: string
  oid: string
  entry: string
  message: string
}

/** Objects are removed with what depends on them, so that a few rounds are enough. */
const ROUNDS = 10

/** A client of version 17 or later sets it, and older servers do not have it. */
const HARMLESS = /unrecognized configuration parameter "transaction_timeout"/

/**
 * Copies with `pg_dump | pg_restore`. An object that those cannot copy is removed from the source before a next attempt,
 * because nobody has a backup of such a database. Returns what arrived, and what was removed.
 */
export async function copyPlainly(
  postgres: Postgres,
  client: PostgresClient,
  database: string,
): Promise<{ plain: Contents; removed: string[] }> {
  const removed: string[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    await makeEmptyCopy(postgres)
    const errors = await transfer(postgres, client, database)
    if (errors.length === 0) {
      const plain = await readContents(postgres, client, COPY)
      await dropCopy(postgres)
      return { plain, removed }
    }
    await dropCopy(postgres)
    for (const error of errors) {
      if (await remove(postgres, database, error)) removed.push(`${error.entry}: ${error.message}`)
    }
  }
  throw new Error(`pg_dump | pg_restore cannot copy ${database}, whatever is removed:\n${removed.join('\n')}`)
}

async function transfer(
  postgres: Postgres,
  client: PostgresClient,
  database: string,
): Promise<RestoreError[]> {
  const script = '"$0" --format=custom | "$1" --verbose --dbname="$2"'
  const args = ['-o', 'pipefail', '-c', script, client.pgDump, client.pgRestore, COPY]
  const env = { PATH: process.env.PATH, ...postgres.env(database) }
  const text = await run('bash', args, { env, maxBuffer: 1 << 28 }).then(
    ({ stderr }) => stderr,
    (error) => String(error.stderr),
  )
  const lines = text.match(/^pg_(dump|restore): error: .*$/gm)?.filter((line) => !HARMLESS.test(line)) ?? []
  const entries = text.matchAll(/from TOC entry \d+; (\d+) (\d+) (.+)\npg_restore: error: (.+)/g)
  const errors = [...entries].map(([, catalogue, oid, entry, message]) => ({
    ...{ catalogue: catalogue!, oid: oid!, entry: entry!, message: message! },
  }))
  if (errors.length === 0 && lines.length > 0) throw new Error(lines.join('\n'))
  return errors
}

/** Returns false when it went with another object already. */
async function remove(postgres: Postgres, database: string, error: RestoreError): Promise<boolean> {
  // Servers before 14 answer with an error about an object that is gone.
  const [object] = await postgres
    .query<{ type: string; identity: string }>(
      database,
      'select type, identity from pg_identify_object($1::oid, $2::oid, 0)',
      [error.catalogue, error.oid],
    )
    .catch(() => [])
  if (!object?.identity) return false
  if (object.type === 'subscription') await dropSubscriptions(postgres, database)
  else await postgres.psql(database, `drop ${object.type} ${object.identity} cascade`)
  return true
}
