/**
 * `npm run demo`: dumps, lists and restores a sample shop on this machine, with the built Action run exactly as the
 * GitHub runner runs it, a real PostgreSQL and a local S3 store. Proves the result table by table.
 */
import { existsSync } from 'node:fs'
import { compareDatabases, readTables } from '../lab/postgres/compare.ts'
import { type Postgres, startPostgres } from '../lab/postgres/postgres.ts'
import { loadSample } from '../lab/postgres/sample.ts'
import { runAction } from '../lab/runner/action.ts'
import { root } from '../lab/runner/action-inputs.ts'
import type { S3Store } from '../lab/s3/s3.ts'
import { startS3rver } from '../lab/s3/s3rver.ts'
import { green, logView, red, say, showRun, title } from './show.ts'

const entry = 'dist/index.js'
const source = 'shop'
const target = 'preview_1'

process.exitCode = await demo()

async function demo(): Promise<number> {
  const started = performance.now()
  if (!existsSync(new URL(entry, `file://${root}`))) {
    console.error(`There is no ${entry} yet. Run \`npm run build\` first.`)
    return 1
  }
  title('A PostgreSQL server and an S3 store, both on this machine only')
  await using postgres = await startPostgres()
  await using s3 = await startS3rver({ bucket: 'demo' })
  say(`PostgreSQL ${postgres.version} on port ${postgres.port}, S3 at ${s3.endpoint}`)

  title(`A sample shop: loading lab/postgres/sample/shop.sql into the database "${source}"`)
  await loadSample(postgres, source)
  const tables = await readTables(postgres, source)
  const rows = [...tables.values()].reduce((sum, table) => sum + table.rows, 0)
  say(`${count(tables.size)} tables, ${count(rows)} rows`)

  const succeeded = (await everyStep(postgres, s3)) && (await prove(postgres))
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    succeeded ? green(`\nAll of it came back, in ${seconds} s.`) : red('\nThat went wrong: see above.'),
  )
  return succeeded ? 0 : 1
}

/** The three steps of a workflow: a nightly dump, a look at the storage, a preview database. */
async function everyStep(postgres: Postgres, s3: S3Store): Promise<boolean> {
  const storage = {
    'storage-location': `s3://${s3.bucket}/backups/`,
    's3-endpoint-url': s3.endpoint,
    's3-config': s3.config,
  }
  return (
    (await step({ command: 'dump', instance: 'demo', 'database-url': postgres.url(source), ...storage })) &&
    (await step({ command: 'list', ...storage })) &&
    (await step({
      command: 'restore',
      'dump-key': 'latest',
      'database-url': postgres.url(target),
      ...storage,
    }))
  )
}

async function step(inputs: Record<string, string>): Promise<boolean> {
  title(`The Action: command ${inputs.command}`)
  const run = await runAction(inputs, { timeout: 600_000, onLine: logView() })
  showRun(run)
  return run.exitCode === 0
}

/** Compares the copy with the source, first the rows of each table, then everything else. */
async function prove(postgres: Postgres): Promise<boolean> {
  title(`Is "${target}" the same as "${source}"?`)
  const [before, after] = await Promise.all([readTables(postgres, source), readTables(postgres, target)])
  for (const [name, table] of before) {
    const copy = after.get(name)
    const mark = copy?.rows === table.rows && copy.hash === table.hash ? green('✓') : red('✗')
    say(
      `${mark} ${name.padEnd(34)} ${count(table.rows).padStart(8)} rows  ${count(copy?.rows ?? 0).padStart(8)} in the copy`,
    )
  }
  const differences = await compareDatabases(postgres, source, postgres, target)
  for (const difference of differences) say(red(`✗ ${difference}`))
  if (differences.length === 0)
    say(
      `${green('✓')} columns, keys, indexes, views, functions, triggers, types, sequences, comments, large objects`,
    )
  return differences.length === 0
}

function count(value: number): string {
  return value.toLocaleString('en-GB')
}
