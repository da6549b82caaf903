import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Postgres, startPostgres } from '../lab/postgres/postgres.ts'
import { type S3, startS3, toConfig } from '../lab/s3/s3.ts'
import { type SlowLink, startSlowLink } from '../lab/slow-link.ts'
import { tempFolder } from '../lab/temp.ts'
import { currentEnvironment } from '../src/tools/options.ts'
import { findPostgresClients } from '../src/tools/postgres/provide-client.ts'
import { type DataName, makeData } from './data.ts'
import { type Measured, measure } from './measure.ts'

/** A round trip between two regions of a cloud, and what one connection carries there. */
export const DISTANCE = { roundTripMs: 40, bytesPerSecond: 20e6 }

/** What a server has by default, where that of the tests is set to lose data when the machine dies. */
const SETTINGS = {
  ...{ fsync: 'on', full_page_writes: 'on', log_statement: 'none' },
  ...{ shared_buffers: '512MB', max_wal_size: '4GB' },
  // pg_dump locks every table that it dumps.
  max_locks_per_transaction: '1024',
}

const action = fileURLToPath(new URL('../dist/index.js', import.meta.url))

export type Versions = { client: string; server: string; aws: string; pgcopydb: string | null; node: string }

/** `slow` goes through the slow link. */
type ShellOptions = { slow?: boolean; env?: Record<string, string> }

type Parts = Pick<World, 'postgres' | 's3' | 'link' | 'folder' | 'bin' | 'versions' | 'scale'>

/** The servers, programs and files of a run, and what was made in them. */
export class World implements AsyncDisposable {
  readonly postgres: Postgres
  readonly s3: S3
  readonly link: SlowLink
  readonly folder: string
  /** The folder of `pg_dump` and `pg_restore`. */
  readonly bin: string
  readonly versions: Versions
  readonly scale: number
  readonly #resources: AsyncDisposableStack
  #data: DataName | null = null
  /** Keys of the dumps of this action by their location. */
  readonly keys = new Map<string, string>()

  private constructor(parts: Parts, resources: AsyncDisposableStack) {
    this.postgres = parts.postgres
    this.s3 = parts.s3
    this.link = parts.link
    this.folder = parts.folder
    this.bin = parts.bin
    this.versions = parts.versions
    this.scale = parts.scale
    this.#resources = resources
  }

  static async start(scale: number): Promise<World> {
    const client = (await findPostgresClients(currentEnvironment())).sort((a, b) => b.major - a.major)[0]
    if (!client) throw new Error('No PostgreSQL client is installed')
    await using scope = new AsyncDisposableStack()
    const folder = scope.use(tempFolder('bench')).path
    const postgres = scope.use(await startPostgres({ settings: SETTINGS }))
    const s3 = scope.use(await startS3())
    const link = scope.use(await startSlowLink({ port: postgres.port }, DISTANCE))
    const versions = {
      ...{ client: client.version, server: postgres.version, node: process.version },
      aws: versionOf('aws') ?? 'not installed',
      pgcopydb: versionOf('pgcopydb'),
    }
    return new World({ postgres, s3, link, folder, bin: client.directory, versions, scale }, scope.move())
  }

  /** Makes a source database, and drops the one before, of which no contest has need any more. */
  async provide(data: DataName): Promise<void> {
    if (this.#data === data) return
    if (this.#data) await this.#drop(this.#data)
    this.say(`making the database "${data}"`)
    await makeData(this.postgres, data, this.scale)
    this.#data = data
  }

  /** The name of the source database. */
  get data(): DataName {
    return this.#data!
  }

  /** The dump of `pg_dump` that peers restore; in S3 it has the same name. */
  get peerFile(): string {
    return join(this.folder, `${this.data}.dump`)
  }

  get peerUrl(): string {
    return `s3://${this.s3.bucket}/${this.data}.dump`
  }

  has(program: 'pgcopydb'): boolean {
    return this.versions[program] !== null
  }

  say(text: string): void {
    process.stderr.write(`  ${text}\n`)
  }

  /** @param options.slow goes through the slow link */
  url(database: string, { slow } = { slow: false }): string {
    return this.postgres.url(database, slow ? { port: this.link.port } : {})
  }

  /** Runs a pipeline as a workflow would. */
  shell(script: string, database: string, { slow = false, env = {} }: ShellOptions = {}): Promise<Measured> {
    return this.#measure('bash', ['-e', '-o', 'pipefail', '-c', script], {
      ...this.#libpq(database, slow),
      ...env,
      ...this.s3.env,
      ...{ BIN: this.bin, S3: `aws --endpoint-url ${this.s3.endpoint} s3 cp --only-show-errors` },
      ...{ FILE: this.peerFile, URL: this.peerUrl, AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required' },
    })
  }

  /** Runs the built action as the runner starts it, with the start of Node. */
  async action(inputs: Record<string, string>): Promise<Measured> {
    const out = join(this.folder, 'output')
    writeFileSync(out, '')
    const variables = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
    const measured = await this.#measure(process.execPath, [action], {
      ...{ RUNNER_TEMP: this.folder, GITHUB_WORKSPACE: this.folder, GITHUB_REPOSITORY: 'bench/bench' },
      ...{ GITHUB_OUTPUT: out, GITHUB_STATE: out },
      ...Object.fromEntries(variables),
    })
    const key = /^dump-key<<(\S+)\n(.*)\n\1$/m.exec(readFileSync(out, 'utf8'))?.[2]
    if (key && inputs['storage-location']) this.keys.set(inputs['storage-location'], key)
    return measured
  }

  /** Inputs for the dumps of the source in the store or in a folder. */
  storage(where: 'S3' | 'folder'): Record<string, string> {
    if (where === 'folder') return { 'storage-location': `${this.folder}/${this.data}/` }
    return {
      'storage-location': `s3://${this.s3.bucket}/${this.data}/`,
      's3-endpoint-url': this.s3.endpoint,
      's3-config': toConfig(this.s3.env),
    }
  }

  /** Bytes of the newest dump of this action in the folder. */
  get storedBytes(): number {
    const location = this.storage('folder')['storage-location']!
    return statSync(join(location, this.keys.get(location)!)).size
  }

  /** Makes the empty database that is replaced. */
  async recreateTarget(): Promise<void> {
    await this.postgres.query('postgres', 'DROP DATABASE IF EXISTS restored WITH (FORCE)')
    await this.postgres.createDatabase('restored')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }

  async #drop(data: DataName): Promise<void> {
    for (const path of [this.peerFile, join(this.folder, data)])
      rmSync(path, { recursive: true, force: true })
    for (const key of this.s3.objects().keys()) await this.s3.remove(key)
    this.keys.clear()
    for (const database of await this.postgres.databases()) {
      if (database === 'postgres') continue
      await this.postgres.query('postgres', `ALTER DATABASE "${database}" IS_TEMPLATE false`)
      await this.postgres.query('postgres', `DROP DATABASE "${database}" WITH (FORCE)`)
    }
  }

  #libpq(database: string, slow: boolean): Record<string, string> {
    const env = this.postgres.env(database)
    return slow ? { ...env, PGPORT: String(this.link.port) } : env
  }

  #measure(file: string, args: string[], env: Record<string, string>): Promise<Measured> {
    const server = Number(readFileSync(join(this.postgres.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0])
    const base = { PATH: process.env.PATH!, HOME: this.folder }
    return measure(file, args, { env: { ...base, ...env }, server })
  }
}

function versionOf(program: string): string | null {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return status === 0 ? stdout.split('\n')[0]!.trim() : null
}
