/** The database that each way fills. */
import type { Postgres } from '../../lab/postgres/postgres.ts'

export const COPY = 'realworld_copy'

/** Creates it with nothing in it. */
export async function makeEmptyCopy(postgres: Postgres): Promise<void> {
  await postgres.createDatabase(COPY, "template template0 encoding 'UTF8'")
}

/** Removes it. */
export async function dropCopy(postgres: Postgres): Promise<void> {
  if (!(await postgres.databases()).includes(COPY)) return
  await dropSubscriptions(postgres, COPY)
  await postgres.psql('postgres', `drop database ${COPY}`)
}

/** A subscription holds its database, and asks its publisher for the slot unless told not to. */
export async function dropSubscriptions(postgres: Postgres, database: string): Promise<void> {
  const subscriptions = await postgres.query<{ name: string }>(
    database,
    'select quote_ident(subname) as name from pg_subscription join pg_database d on d.oid = subdbid where datname = $1',
    [database],
  )
  for (const { name } of subscriptions) {
    for (const action of ['disable', 'set (slot_name = none)'])
      await postgres.psql(database, `alter subscription ${name} ${action}`)
    await postgres.psql(database, `drop subscription ${name}`)
  }
}
