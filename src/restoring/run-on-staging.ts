import { checkAssertions } from '../database/assertions.ts'
import { onDatabase } from '../database/connection/connection.ts'
import { reportChanges } from '../database/hook-effects.ts'
import { runHooks } from '../database/hooks.ts'
import { seeingAllRows } from '../database/row-security.ts'
import type { Step } from '../step/step.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'

/** Runs hooks and assertions on a database that nobody uses yet: they see every row, and the log says what hooks changed. */
export async function runOnStaging(
  step: Step,
  client: PostgresClient,
  database: string,
  { hooks, assertions }: { hooks: readonly string[]; assertions: readonly string[] },
): Promise<void> {
  if (hooks.length + assertions.length === 0) return
  const connection = onDatabase(step.target, database)
  const options = step.hookOptions(client)
  const open = () => step.session(connection)
  await seeingAllRows(open, async () => {
    await runHooks('pre-swap-hooks', hooks, connection, options, (name, hook) =>
      reportChanges(name, open, hook),
    )
    await checkAssertions(assertions, connection, options)
  })
}
