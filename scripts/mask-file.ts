/**
 * Writes the first mask file of a database: every table and column, with guesses as comments. It reads the catalog and
 * not a single row.
 *
 *     npm run mask-file -- [postgres://user@host/database] [--output .github/pgclone-mask.yml]
 *
 * Without an address, the variable DATABASE_URL has it. That is the place for an address with a password, because npm
 * and lists of processes show arguments. Without `--output`, the file goes to stdout; `npm run --silent` prints nothing
 * else there.
 */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseDatabaseUrl } from '../src/database/connection/database-url.ts'
import { Session } from '../src/database/connection/session.ts'
import { resolveFilters } from '../src/database/selection.ts'
import { messageOf } from '../src/errors.ts'
import { firstMaskFile } from '../src/masking/plan.ts'
import { readTables } from '../src/masking/read-tables.ts'
import type { Catalog } from '../src/masking/tables.ts'
import { formatQuantity } from '../src/report/format.ts'
import { hideSecrets, rememberSecret } from '../src/report/secrets.ts'
import { currentEnvironment } from '../src/tools/options.ts'
import { findPsql } from './mask-file/find-psql.ts'

/** Writes the mask file to stdout. All else that would go there are commands of the action to GitHub's runner. */
const print = process.stdout.write.bind(process.stdout)
process.stdout.write = () => true

/** The whole database, without filters. */
const EVERYTHING = {
  ...{ tables: [], excludeTables: [], schemas: [], excludeSchemas: [], excludeTableData: [] },
  ...{ schemaOnly: false, lockWaitTimeout: 0, pgDumpArgs: [] },
}

const HEADER = `# Every table and column of the database. A column stays as it is when its name is under "keep" of its table. Each other
# column needs a mask after its colon; the comments are guesses by name and type. Instead of its columns, a table can have
# the word keep or none. docs/masking.md of pgclone-action explains the masks.
`

function readArguments(): { url: string; output: string | undefined } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { output: { type: 'string', short: 'o' } },
  })
  const [url = process.env.DATABASE_URL ?? '', ...more] = positionals
  if (url === '' || more.length > 0)
    throw new Error(
      'name one database: set DATABASE_URL, or run "npm run mask-file -- postgres://user@host/database"',
    )
  return { url, output: values.output }
}

async function readCatalog(session: Session): Promise<Catalog> {
  const [server] = await session.query<{ major: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major`,
  )
  await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const selection = await resolveFilters(session, EVERYTHING)
  return readTables(session, { selection, extensions: [], major: server!.major })
}

async function main(): Promise<void> {
  const { url, output } = readArguments()
  const connection = connectionOf(url)
  const psql = await findPsql(currentEnvironment())
  await using session = await Session.open(connection, { psql, environment: process.env })
  const catalog = await readCatalog(session)
  const { text, problems } = firstMaskFile(catalog)
  if (output === undefined) print(HEADER + text)
  else writeNew(output, HEADER + text)
  for (const problem of problems) console.error(problem)
  console.error(`${formatQuantity(catalog.tables.length, 'table')} of ${connection.label}`)
}

function connectionOf(url: string): ReturnType<typeof parseDatabaseUrl> {
  try {
    const connection = parseDatabaseUrl(url)
    rememberSecret(connection.variables.PGPASSWORD ?? '')
    return connection
  } catch (error) {
    throw new Error(`the address of the database ${messageOf(error)}`)
  }
}

/** Writes a file that must not exist, because it would have rules that people wrote. npm changes the current folder. */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(resolve(process.env.INIT_CWD ?? '', file), text, { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new Error(`${file} exists; name another file with --output, and take over what is missing`)
  }
}

try {
  await main()
} catch (error) {
  console.error(hideSecrets(`mask-file: ${messageOf(error)}`))
  process.exitCode = 1
}
