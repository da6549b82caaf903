import { statfs } from 'node:fs/promises'
import type { Context } from '../context.ts'
import { clientEnvironment, onDatabase } from '../database/connection.ts'
import { startParallelRestore } from '../database/parallel-restore.ts'
import { startRestore } from '../database/restore.ts'
import { formatBytes } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { PostgresClient } from '../tools/postgres.ts'
import { connectionOf } from './prepare.ts'
import { type Dump, type Received, receive } from './receive.ts'

/** Moves the dump into an empty database, by one `pg_restore` that streams or by parallel ones from a file. */
export async function fill(
  context: Context,
  dump: Dump,
  client: PostgresClient,
  database: string,
): Promise<Received> {
  const env = clientEnvironment(onDatabase(connectionOf(context), database), context.environment)
  const jobs = await jobsWithRoom(context, dump.chosen.manifest?.rawBytes ?? null)
  return receive(context, dump, client.major, (report) => {
    return jobs > 1
      ? startParallelRestore(client.pgRestore, context.inputs, env, {
          jobs,
          folder: context.tempDirectory,
          layout: () => report().layout,
        })
      : Promise.resolve(startRestore(client.pgRestore, context.inputs, env))
  })
}

/** Bytes that a runner needs for itself. */
const SPARE = 1_000_000_000

/** How many jobs may restore: parallel ones read a file, and the file needs room for the uncompressed data. */
async function jobsWithRoom({ inputs, tempDirectory }: Context, rawBytes: number | null): Promise<number> {
  if (inputs.jobs === 1) return 1
  const { bavail, bsize } = await statfs(tempDirectory)
  if (rawBytes !== null && rawBytes * 1.1 + SPARE < bavail * bsize) return inputs.jobs
  const reason =
    rawBytes === null
      ? 'nobody knows how large its data are'
      : `its data need ${formatBytes(rawBytes)} and ${tempDirectory} has ${formatBytes(bavail * bsize)} free`
  log.info(`Restoring with one job as the dump arrives: for parallel jobs ${reason}`)
  return 1
}
