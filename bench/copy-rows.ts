import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Contender, Contest } from './contest.ts'
import type { World } from './world.ts'

const JOBS = availableParallelism()

const PIPE = 'pg_dump -Z0 | pg_restore'
const before = (world: World) => world.recreateTarget()

const pipe: Contender = {
  name: PIPE,
  ours: false,
  before,
  run: (world) =>
    world.shell(
      `PGDATABASE=${world.data} "$BIN/pg_dump" -Fc -Z0 | "$BIN/pg_restore" --no-owner --no-acl -d ""`,
      'restored',
    ),
}

/** The fastest copier that we know of, with several connections for one table; it keeps all but the data in a folder. */
const pgcopydb: Contender = {
  name: `pgcopydb clone, ${JOBS} jobs, split tables`,
  ours: false,
  needs: 'pgcopydb',
  before: async (world) => {
    rmSync(join(world.folder, 'pgcopydb'), { recursive: true, force: true })
    await before(world)
  },
  run: (world) => {
    const jobs = `--table-jobs ${JOBS} --index-jobs ${JOBS} --split-tables-larger-than 64MB`
    const work = join(world.folder, 'pgcopydb')
    const env = {
      PGCOPYDB_SOURCE_PGURI: world.url(world.data),
      PGCOPYDB_TARGET_PGURI: world.url('restored'),
    }
    return world.shell(`pgcopydb clone ${jobs} --no-owner --no-acl --dir ${work}`, 'restored', { env })
  },
}

function ours(name: string, inputs: Record<string, string>): Contender {
  return {
    name: `ours: ${name}`,
    ours: true,
    before,
    run: (world) =>
      world.action({
        ...{ command: 'copy', overwrite: 'true', 'database-url': world.url('restored') },
        'source-database-url': world.url(world.data),
        ...inputs,
      }),
  }
}

const stream = ours('copy, stream', { 'copy-method': 'stream' })
const oneJob = ours('copy, stream, one job', { 'copy-method': 'stream', jobs: '1' })
const files = ours('copy, template', { 'copy-method': 'template' })

export const copyContests: Contest[] = [
  contest('medium', '100 MB', 3, [pipe, pgcopydb, stream, files]),
  contest('large', '1 GB', 2, [pipe, pgcopydb, stream, files]),
  contest('table', 'one table of 1 GB with three indexes', 1, [pipe, pgcopydb, stream, oneJob]),
]

function contest(
  data: 'medium' | 'large' | 'table',
  what: string,
  rounds: number,
  contenders: readonly Contender[],
): Contest {
  return {
    ...{ id: `copy-${data}`, title: `Copy of ${what}`, data, rounds, contenders },
    headline: { ours: stream.name, peer: PIPE, what: `A copy of ${what} to another server` },
  }
}
