import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { type ArchiveLayout, writeOffsets } from '../archive/archive.ts'
import { endChild } from '../process/child.ts'
import { notePending } from '../process/pending.ts'
import type { Sink } from '../process/transfer.ts'
import { log } from '../report/log.ts'
import { INTO_PGDATABASE, type RestoreInputs, restoreArguments, startJudged } from './restore.ts'

export type Spool = {
  jobs: number
  /** Where the archive is kept meanwhile; the file is removed in the end. */
  folder: string
  /** Where the data are in the archive, known when all of it has passed. */
  layout: () => ArchiveLayout
}

/**
 * `pg_restore --jobs`, as the sink of a transfer: several jobs seek in the archive, so it is a file first, and each
 * entry of its table of contents learns where its data are.
 */
export async function startParallelRestore(
  pgRestore: string,
  inputs: RestoreInputs,
  env: Record<string, string>,
  { jobs, folder, layout }: Spool,
): Promise<Sink> {
  const place = await mkdtemp(join(folder, 'pgclone-spool-'))
  const forget = notePending({ kind: 'file', path: place })
  const path = join(place, 'archive')
  const stream = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: 1 << 20 })
  let running: ReturnType<typeof startJudged> | null = null
  const remove = async () => {
    await rm(place, { recursive: true, force: true })
    forget()
  }
  return {
    stream,
    died: new Promise((resolve) =>
      stream.once('error', (error) => resolve(new Error(`Cannot spool the dump: ${error.message}`))),
    ),
    commit: async () => {
      stream.end()
      await finished(stream)
      await writeOffsets(path, layout())
      log.info(`Restoring with ${jobs} jobs`)
      running = startJudged(
        pgRestore,
        [...restoreArguments(inputs), INTO_PGDATABASE, `--jobs=${jobs}`, path],
        { inputs, env, stdin: 'none' },
      )
      const reason = await running.ended
      if (reason) throw reason
      await remove()
    },
    abort: async () => {
      stream.destroy()
      if (running) await endChild(running.child, ['SIGTERM', 'SIGKILL'], 1500)
      await finished(stream).catch(() => undefined)
      await remove()
    },
  }
}
