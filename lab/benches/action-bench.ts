import { join } from 'node:path'
import { type Postgres, type PostgresOptions, startPostgres } from '../postgres/postgres.ts'
import {
  type ActionOptions,
  type ActionRun,
  runAction,
  type StartedAction,
  startAction,
} from '../runner/action.ts'
import { succeeded } from '../runner/outcome.ts'
import { type S3, startS3 } from '../s3/s3.ts'
import { tempFolder } from '../temp.ts'

export type Place = 'folder' | 's3'
type Command = 'dump' | 'restore' | 'list'
export type Inputs = Record<string, string>

/** A real PostgreSQL server, two places for dumps, and the built Action between them. */
export type Bench = AsyncDisposable & {
  readonly postgres: Postgres
  readonly s3: S3
  readonly folder: string
  /** The inputs of a step on a database; `list` needs none. */
  inputs(command: Command, place: Place, database: string, more?: Inputs): Inputs
  /** Runs a step; whether it succeeds is the caller's to judge. */
  run(
    command: Command,
    place: Place,
    database: string,
    more?: Inputs,
    options?: ActionOptions,
  ): Promise<ActionRun>
  start(
    command: Command,
    place: Place,
    database: string,
    more?: Inputs,
    options?: ActionOptions,
  ): StartedAction
  /** Dumps a database, which must succeed, and returns the key. */
  dump(place: Place, database: string, more?: Inputs): Promise<string>
}

export async function startBench(options: PostgresOptions = {}): Promise<Bench> {
  await using scope = new AsyncDisposableStack()
  const postgres = scope.use(await startPostgres(options))
  const s3 = scope.use(await startS3())
  const folder = join(scope.use(tempFolder('dumps')).path, 'dumps')
  const resources = scope.move()
  const inputs: Bench['inputs'] = (command, place, database, more = {}) => ({
    command,
    'install-tools': 'never',
    // One attempt and what becomes of it; tests of several say so.
    retries: '0',
    ...(command === 'restore' && { overwrite: 'true' }),
    ...(database && { 'database-url': postgres.url(database) }),
    ...(place === 'folder'
      ? { 'storage-location': folder }
      : {
          'storage-location': `s3://${s3.bucket}/nightly/`,
          's3-endpoint-url': s3.endpoint,
          's3-config': s3.config,
        }),
    ...more,
  })
  const start: Bench['start'] = (command, place, database, more, actionOptions) =>
    startAction(inputs(command, place, database, more), actionOptions)
  return {
    ...{ postgres, s3, folder, inputs, start },
    run: (...step) => start(...step).done,
    dump: async (place, database, more) => {
      const run = succeeded(await runAction(inputs('dump', place, database, more)))
      return run.outputs['dump-key']!
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
