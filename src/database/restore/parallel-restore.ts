import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { allOf } from '../../all-of.ts'
import { type DataArchive, SplitArchive, type SplitOptions, type TocEntry } from '../../archive/archive.ts'
import { notePending } from '../../leftovers.ts'
import { endChild } from '../../process/child.ts'
import { removeTree } from '../../process/remove-tree.ts'
import { pour, type Sink } from '../../process/transfer.ts'
import { formatQuantity } from '../../report/format.ts'
import { log } from '../../report/log.ts'
import type { Session } from '../connection/session.ts'
import { freeConnections } from '../free-connections.ts'
import { whyDataIsOrdered, whyRefreshesAreOrdered } from '../load-order.ts'
import {
  INTO_PGDATABASE,
  type RestoreInputs,
  restoreArguments,
  startJudged,
  untilClosed,
} from './pg-restore.ts'

type Running = ReturnType<typeof startJudged>

/** How to run `pg_restore`, and how to open a session in the database that it restores. */
export type Restorer = {
  pgRestore: string
  inputs: RestoreInputs
  env: Record<string, string>
  /** The signal ends the session. */
  session: (signal: AbortSignal) => Promise<Session>
}

type Options = SplitOptions & {
  folder: string
  /** Returns the entries of the archive, once it has begun. */
  entries: () => readonly TocEntry[]
}

/**
 * Restores a database while the archive arrives, as the sink of a transfer: one `pg_restore` restores the schema, then
 * several share the tables and restore the data. When the sink is committed, after all checks, `pg_restore --jobs` makes
 * indexes and constraints, for which it does not need the data in the archive.
 */
export function startSplitRestore(restorer: Restorer, options: Options): Sink {
  const work = new SplitRestore(restorer, options)
  const loaded = work.load()
  const stream = untilClosed(work.stream)
  return {
    stream,
    died: loaded.then(
      () => new Promise<never>(() => undefined),
      (reason: Error) => reason,
    ),
    commit: async () => {
      stream.end()
      await loaded
      await work.finish()
      await work.clear()
    },
    abort: async () => {
      await work.stop()
      await loaded.catch(() => undefined)
      await work.clear()
    },
  }
}

class SplitRestore {
  // In object mode, because a stream of bytes would copy what has gathered into one buffer for each read.
  readonly stream = new PassThrough({ objectMode: true, highWaterMark: 4 })
  readonly #restorer: Restorer
  readonly #options: Options
  readonly #stopped = new AbortController()
  readonly #running = new Set<Running>()
  /** How many jobs the role and the server allow. */
  #jobs = 1
  #archive: SplitArchive | null = null
  #place: Place | null = null

  constructor(restorer: Restorer, options: Options) {
    this.#restorer = restorer
    this.#options = options
    this.stream.on('error', () => undefined) // the reader reports why it stopped
  }

  /** Restores what can be restored while the archive arrives. If it fails, the rest of the archive is discarded. */
  async load(): Promise<void> {
    try {
      await this.#load()
    } catch (error) {
      await this.#archive?.close(error)
      this.stream.destroy()
      throw error
    }
  }

  async #load(): Promise<void> {
    const { folder, entries } = this.#options
    const archive = await SplitArchive.open(this.stream, folder, entries)
    this.#archive = archive
    this.#place = await keepSchema(folder, archive)
    const shares = archive.divide(await this.#restoreSchema(archive, this.#place))
    log.info(`Restoring the data with ${formatQuantity(shares.length, 'job')}`)
    await Promise.all([archive.distribute(), ...shares.map((share) => this.#feed(share))])
  }

  /** Restores the schema, and shares the data among jobs. */
  async #restoreSchema(archive: SplitArchive, { schema }: Place): Promise<TocEntry[][]> {
    await using scope = new AsyncDisposableStack()
    // It connects meanwhile, because both wait for many answers of a distant server.
    const open = async () => scope.use(await this.#restorer.session(this.#stopped.signal))
    const [, session] = await allOf([this.#restore(['--section=pre-data', schema]), open()])
    return await this.#share(archive, session)
  }

  /** Shares the data among jobs, unless it has to be loaded in its order. The schema, which says so, is restored by now. */
  async #share(archive: SplitArchive, session: Session): Promise<TocEntry[][]> {
    const { bytesOf, jobs } = this.#options
    this.#jobs = await allowedJobs(session, jobs)
    const dividesTables = mayDivideTables(this.#restorer.inputs)
    const shares = archive.share({ jobs: this.#jobs, bytesOf, dividesTables })
    const why = shares.length > 1 ? await whyDataIsOrdered(session) : null
    if (why === null) return shares
    log.info(`Restoring the data in the order of the dump: ${why}`)
    return archive.share({ jobs: 1, bytesOf })
  }

  /**
   * The jobs of a pg_restore that connects again for each of them. The server counts a connection for some time after its
   * end, so one stays free if no more are allowed.
   */
  get #reconnectingJobs(): number {
    return this.#jobs < this.#options.jobs ? Math.max(1, this.#jobs - 1) : this.#jobs
  }

  /** Restores what requires the data to be in the database. */
  async finish(): Promise<void> {
    const { schema, last } = this.#place!
    const jobs = Math.min(this.#reconnectingJobs, this.#archive!.afterData)
    if (jobs > 0) {
      log.info(`Restoring indexes and constraints with ${formatQuantity(jobs, 'job')}`)
      await this.#restore(['--section=post-data', `--jobs=${jobs}`, schema])
    }
    if (last !== null) await this.#refresh(last)
  }

  async #refresh(last: string): Promise<void> {
    const why = await this.#whyRefreshesAreOrdered()
    if (why !== null) log.info(`Refreshing materialized views one after the other: ${why}`)
    await this.#restore([
      '--section=post-data',
      ...(why === null ? [`--jobs=${this.#reconnectingJobs}`] : []),
      last,
    ])
  }

  async #whyRefreshesAreOrdered(): Promise<string | null> {
    await using session = await this.#restorer.session(this.#stopped.signal)
    return await whyRefreshesAreOrdered(session)
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the restore was stopped'))
    this.stream.destroy()
    await this.#archive?.close(this.#stopped.signal.reason)
    const children = [...this.#running].map(({ child }) => endChild(child, ['SIGTERM', 'SIGKILL'], 1500))
    await Promise.all(children)
  }

  async clear(): Promise<void> {
    await this.#archive?.close(this.#stopped.signal.reason)
    await this.#place?.remove()
  }

  async #restore(args: readonly string[]): Promise<void> {
    const reason = await this.#start(args, 'none').ended
    if (reason) throw reason
  }

  /** Feeds a share of the data into a separate `pg_restore` and waits for its end. */
  async #feed(share: DataArchive): Promise<void> {
    const { child, ended } = this.#start([], 'stream')
    const stdin = untilClosed(child.stdin)
    const fed = pour(share.stream(), stdin, this.#stopped.signal).then(() => stdin.end())
    await Promise.all([fed, ended.then((reason) => (reason ? Promise.reject(reason) : undefined))])
  }

  #start(args: readonly string[], stdin: 'stream' | 'none'): Running {
    this.#stopped.signal.throwIfAborted()
    const { pgRestore, inputs, env } = this.#restorer
    const all = [...restoreArguments(inputs), INTO_PGDATABASE, ...args]
    const entries = () => this.#archive?.entries ?? []
    const running = startJudged(pgRestore, all, { inputs, env, stdin, entries })
    this.#running.add(running)
    void running.ended.then(() => this.#running.delete(running))
    return running
  }
}

/** An argument that locks a table and changes its triggers while its data is loaded, or an abbreviation of it. */
const DISABLES_TRIGGERS = /^--di/

/** Whether several sessions may load one table: neither would one miss the triggers, nor is a table left in part if an error is tolerated. */
function mayDivideTables({ pgRestoreArgs, tolerateErrors }: RestoreInputs): boolean {
  return tolerateErrors.length === 0 && !pgRestoreArgs.some((argument) => DISABLES_TRIGGERS.test(argument))
}

/** Returns how many jobs can connect, in addition to the sessions that there are without this one. At least one is tried. */
async function allowedJobs(session: Session, jobs: number): Promise<number> {
  const allowed = Math.max(1, Math.min(jobs, 1 + (await freeConnections(session))))
  if (allowed < jobs)
    log.info(
      `Restoring with ${formatQuantity(allowed, 'job')} instead of ${jobs}: role, database and server allow no more connections`,
    )
  return allowed
}

/** The files of the schema: of most of it, and of what comes last if there is anything. */
type Place = { schema: string; last: string | null; remove: () => Promise<void> }

/** Writes the schema into files, because several jobs seek in them. */
async function keepSchema(folder: string, { schema, last }: SplitArchive): Promise<Place> {
  const path = await mkdtemp(join(folder, 'pgclone-schema-'))
  const forget = notePending({ kind: 'file', path })
  const write = async (name: string, archive: Iterable<Buffer>) => {
    const file = join(path, name)
    await writeFile(file, archive, { mode: 0o600 })
    return file
  }
  return {
    schema: await write('archive', schema),
    last: last && (await write('last', last)),
    remove: async () => {
      await removeTree(path)
      forget()
    },
  }
}
