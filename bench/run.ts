/**
 * `npm run bench -- [--sizes 100,1000] [--runs 5] [--write]`: times the Action against the usual pipelines, on one
 * machine, in turns, and prints medians and ratios. `--write` puts the table into docs/performance.md.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Postgres, startPostgres } from '../lab/postgres/postgres.ts'
import { type S3, startS3, toConfig } from '../lab/s3/s3.ts'
import { currentEnvironment } from '../src/tools/options.ts'
import { findPostgresClients } from '../src/tools/postgres/provide-client.ts'
import { makeBenchData } from './data.ts'
import { type Measured, measure, median } from './measure.ts'

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '100,1000' },
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
})

const root = fileURLToPath(new URL('../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pgclone-bench-'))

type Bench = { postgres: Postgres; s3: S3; bin: string; database: string; megabytes: number }
/** `before` is not timed; `size` is what the run stored, in bytes. */
type Contender = {
  name: string
  before?: () => Promise<void>
  run: () => Promise<Measured>
  size?: () => number
}

function shell(script: string, env: Record<string, string>): Promise<Measured> {
  return measure('bash', ['-e', '-o', 'pipefail', '-c', script], {
    PATH: process.env.PATH!,
    HOME: folder,
    ...env,
  })
}

/** The built Action, as the runner starts it; its time has Node's start in it. */
function action(bench: Bench, inputs: Record<string, string>): Promise<Measured> {
  const variables = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
  const env = {
    PATH: process.env.PATH!,
    HOME: folder,
    RUNNER_TEMP: folder,
    GITHUB_WORKSPACE: folder,
    GITHUB_REPOSITORY: 'bench/bench',
  }
  const out = join(folder, 'output')
  writeFileSync(out, '')
  return measure(process.execPath, [join(root, 'dist/index.js')], {
    ...env,
    GITHUB_OUTPUT: out,
    GITHUB_STATE: out,
    'INPUT_DATABASE-URL': bench.postgres.url(bench.database),
    ...Object.fromEntries(variables),
  })
}

const s3Inputs = ({ s3 }: Bench) => ({
  'storage-location': `s3://${s3.bucket}/ours/`,
  's3-endpoint-url': s3.endpoint,
  's3-config': toConfig(s3.env),
})

function storedKey(): string {
  return /dump-key<<(\S+)\n(.*)\n\1/.exec(readFileSync(join(folder, 'output'), 'utf8'))![2]!
}

function dumpContenders(bench: Bench): Contender[] {
  const { postgres, s3, bin, database } = bench
  const env = { ...postgres.env(database), ...s3.env, AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required' }
  const file = join(folder, 'peer.dump')
  const dump = `'${bin}/pg_dump' -Fc`
  const aws = `aws --endpoint-url ${s3.endpoint} s3 cp`
  const ours = (method: string) => ({
    run: () => action(bench, { 'storage-location': `${folder}/store/`, compression: method }),
    size: () => statSync(join(folder, 'store', storedKey())).size,
  })
  return [
    { name: 'floor: pg_dump -Fc -Z0 > /dev/null', run: () => shell(`${dump} -Z0 > /dev/null`, env) },
    {
      name: 'pg_dump -Fc > file',
      run: () => shell(`${dump} > ${file}`, env),
      size: () => statSync(file).size,
    },
    { name: 'ours to a file, gzip', ...ours('gzip') },
    { name: 'ours to a file, zstd', ...ours('zstd') },
    {
      name: 'pg_dump -Fc | aws s3 cp',
      run: () => shell(`${dump} | ${aws} - s3://${s3.bucket}/peer.dump --only-show-errors`, env),
    },
    { name: 'ours to S3, gzip', run: () => action(bench, { ...s3Inputs(bench), compression: 'gzip' }) },
    { name: 'ours to S3, zstd', run: () => action(bench, { ...s3Inputs(bench), compression: 'zstd' }) },
  ]
}

function restoreContenders(bench: Bench): Contender[] {
  const { postgres, s3, bin } = bench
  const file = join(folder, 'peer.dump')
  const env = { ...postgres.env('restored'), ...s3.env }
  const before = () => recreate(postgres)
  const ours = (inputs: Record<string, string>) => () =>
    action(bench, {
      command: 'restore',
      'dump-key': 'latest',
      overwrite: 'true',
      'database-url': postgres.url('restored'),
      ...inputs,
    })
  const jobs = availableParallelism()
  const download = `aws --endpoint-url ${s3.endpoint} s3 cp s3://${s3.bucket}/peer.dump - --only-show-errors`
  return [
    {
      name: 'aws s3 cp | pg_restore',
      before,
      run: () => shell(`${download} | '${bin}/pg_restore' --no-owner --no-acl -d ''`, env),
    },
    {
      name: `pg_restore -j${jobs} file`,
      before,
      run: () => shell(`'${bin}/pg_restore' --no-owner --no-acl -j${jobs} -d '' ${file}`, env),
    },
    { name: 'ours from S3', before, run: ours(s3Inputs(bench)) },
    { name: 'ours from S3, one job', before, run: ours({ ...s3Inputs(bench), jobs: '1' }) },
    { name: 'ours from a template', before, run: ours({ ...s3Inputs(bench), 'template-cache': '1' }) },
  ]
}

function copyContenders(bench: Bench): Contender[] {
  const { postgres, bin, database } = bench
  const before = () => recreate(postgres)
  const target = postgres.env('restored')
  const source = Object.entries(postgres.env(database))
    .map(([name, value]) => `${name}=${quote(value)}`)
    .join(' ')
  const inputs = {
    command: 'copy',
    overwrite: 'true',
    'source-database-url': postgres.url(database),
    'database-url': postgres.url('restored'),
  }
  return [
    {
      name: 'pg_dump -Z0 | pg_restore',
      before,
      run: () =>
        shell(
          `env ${source} '${bin}/pg_dump' -Fc -Z0 | '${bin}/pg_restore' --no-owner --no-acl -d ''`,
          target,
        ),
    },
    ...pgcopydb(bench, before),
    { name: 'ours: copy, stream', before, run: () => action(bench, { ...inputs, 'copy-method': 'stream' }) },
    {
      name: 'ours: copy, one job',
      before,
      run: () => action(bench, { ...inputs, 'copy-method': 'stream', jobs: '1' }),
    },
    {
      name: 'ours: copy, template',
      before,
      run: () => action(bench, { ...inputs, 'copy-method': 'template' }),
    },
  ]
}

/** The fastest copier that we know of, where it is installed; it keeps everything but the data in a folder. */
function pgcopydb({ postgres, database }: Bench, before: () => Promise<void>): Contender[] {
  if (spawnSync('pgcopydb', ['--version']).status !== 0) return []
  const jobs = availableParallelism()
  const work = join(folder, 'pgcopydb')
  const env = {
    PGCOPYDB_SOURCE_PGURI: postgres.url(database),
    PGCOPYDB_TARGET_PGURI: postgres.url('restored'),
  }
  const run = `pgcopydb clone --table-jobs ${jobs} --index-jobs ${jobs} --no-owner --no-acl --dir ${work}`
  return [
    {
      name: `pgcopydb clone, ${jobs} jobs`,
      before: async () => {
        rmSync(work, { recursive: true, force: true })
        await before()
      },
      run: () => shell(run, env),
    },
  ]
}

/** What a server has by default, where that of the tests is set to lose data when the machine dies. */
const DEFAULTS = { fsync: 'on', full_page_writes: 'on' }

/** An empty database to restore into. */
async function recreate(postgres: Postgres): Promise<void> {
  await postgres.query('postgres', 'DROP DATABASE IF EXISTS restored WITH (FORCE)')
  await postgres.createDatabase('restored')
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

type Result = {
  name: string
  seconds: number
  spread: string
  ratio: number
  treePeak: number
  ownPeak: number
  size: number | null
}

/** Each contender once a round, so that a machine that drifts drifts for all of them. Ratios are to the first one. */
async function compete(contenders: Contender[]): Promise<Result[]> {
  const runs = contenders.map(() => [] as Measured[])
  const sizes = contenders.map((): number | null => null)
  for (let round = 0; round <= Number(options.runs); round += 1) {
    for (const [index, contender] of contenders.entries()) {
      await contender.before?.()
      const measured = await contender.run()
      process.stderr.write(
        `  ${round === 0 ? 'warm-up' : `round ${round}`}: ${contender.name} ${measured.seconds.toFixed(2)} s\n`,
      )
      sizes[index] = contender.size?.() ?? null
      if (round > 0) runs[index]!.push(measured)
    }
  }
  return contenders.map(({ name }, index) => {
    const own = runs[index]!
    const seconds = own.map((run) => run.seconds)
    return {
      name,
      seconds: median(seconds),
      spread: `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`,
      ratio: median(own.map((run, round) => run.seconds / runs[0]![round]!.seconds)),
      treePeak: Math.max(...own.map((run) => run.treePeak)),
      ownPeak: Math.max(...own.map((run) => run.ownPeak)),
      size: sizes[index]!,
    }
  })
}

function table(title: string, results: Result[]): string {
  const mega = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
  const rows = results.map(({ name, seconds, spread, ratio, treePeak, ownPeak, size }) => {
    const own = name.startsWith('ours') ? mega(ownPeak) : ''
    return `| ${name.replaceAll('|', '\\|')} | ${seconds.toFixed(2)} s | ${spread} | ${ratio.toFixed(2)} | ${size === null ? '' : mega(size)} | ${own} | ${mega(treePeak)} |`
  })
  return [
    `### ${title}`,
    '',
    `| | Median | Min–max | Ratio to the first | Stored | Peak of our process | Peak of all its processes |`,
    '|---|---:|---:|---:|---:|---:|---:|',
    ...rows,
  ].join('\n')
}

async function bench(megabytes: number, client: { directory: string }): Promise<string[]> {
  await using postgres = await startPostgres({
    settings: { ...DEFAULTS, shared_buffers: '512MB', max_wal_size: '4GB' },
  })
  await using s3 = await startS3()
  const setup: Bench = { postgres, s3, bin: client.directory, database: 'bench', megabytes }
  await makeBenchData(postgres, 'bench', megabytes)
  const [raw] = await postgres.query<{ size: string }>(
    'bench',
    "SELECT pg_size_pretty(pg_database_size('bench')) AS size",
  )
  const suites = { dump: dumpContenders, restore: restoreContenders, copy: copyContenders }
  const tables: string[] = []
  for (const [name, contenders] of Object.entries(suites)) {
    if (options.only && !options.only.split(',').includes(name)) continue
    tables.push(table(`${name}, database of ${raw!.size}`, await compete(contenders(setup))))
  }
  return tables
}

const client = (await findPostgresClients(currentEnvironment())).sort((a, b) => b.major - a.major)[0]
if (!client) throw new Error('No PostgreSQL client is installed')
const tables: string[] = []
try {
  for (const size of options.sizes.split(',').map(Number)) tables.push(...(await bench(size, client)))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const report = [
  `Client ${client.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${options.runs} runs each after a warm-up, in turns.`,
  '',
  tables.join('\n\n'),
].join('\n')
console.log(report)
if (options.write) {
  const path = join(root, 'docs/performance.md')
  const page = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    page.replace(
      /(<!-- results -->)[\s\S]*(<!-- \/results -->)/,
      (_, begin, end) => `${begin}\n\n${report}\n\n${end}`,
    ),
  )
}
