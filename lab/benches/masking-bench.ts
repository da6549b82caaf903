import assert from 'node:assert/strict'
import { join } from 'node:path'
import { assertNothingLeft } from '../leftovers.ts'
import { findClients, restore } from '../postgres/clients.ts'
import { readTables } from '../postgres/compare.ts'
import { KEY } from '../postgres/mask-cases.ts'
import {
  KEPT_VALUES,
  MASK_FILE,
  makePersonalData,
  RAW_VALUES,
  writeMaskFile,
} from '../postgres/personal-data.ts'
import type { Postgres, PostgresOptions } from '../postgres/postgres.ts'
import { type RecordingProxy, startRecordingProxy } from '../recording-proxy.ts'
import type { ActionRun } from '../runner/action.ts'
import { tempFolder } from '../temp.ts'
import { type LifecycleBench, startLifecycleBench } from './lifecycle-bench.ts'

/** A server with personal data in the database `app`, and a proxy before it that records what passes. */
export type MaskingBench = LifecycleBench & {
  readonly proxy: RecordingProxy
  /** The folder with the mask file, in which steps run. */
  readonly workspace: string
  /** The URL of a database, `app` by default, through the proxy, whose record begins again. */
  recordedUrl(database?: string): string
  /** Fails if a raw value passed the proxy, or if the run left or showed one. */
  assertNoRawValue(run: ActionRun): Promise<void>
  /** Restores a dump into a new database with nothing but `pg_restore`. */
  restorePlainly(database: string, dumpKey: string): Promise<void>
}

/** The inputs of a step that masks `app`. */
export const MASKED = { mask: MASK_FILE, 'mask-key': KEY }

export async function startMaskingBench(options: PostgresOptions = {}): Promise<MaskingBench> {
  await using scope = new AsyncDisposableStack()
  const bench = scope.use(await startLifecycleBench(options))
  const { postgres, folder } = bench
  const proxy = scope.use(await startRecordingProxy(postgres))
  const workspace = scope.use(tempFolder('workspace')).path
  await makePersonalData(postgres, 'app')
  writeMaskFile(workspace)
  const resources = scope.move()
  return {
    ...bench,
    ...{ proxy, workspace },
    recordedUrl: (database = 'app') => {
      proxy.clear()
      return postgres.url(database, { port: proxy.port })
    },
    assertNoRawValue: async (run) => {
      const found = new Set(proxy.find(KEPT_VALUES).map(({ value, from }) => `${value} from ${from}`))
      for (const value of KEPT_VALUES) assert.ok(found.has(`${value} from server`), value)
      assert.deepEqual(proxy.find(RAW_VALUES), [])
      await assertNothingLeft({ run, postgres, folder, secrets: RAW_VALUES })
    },
    restorePlainly: async (database, dumpKey) => {
      await postgres.createDatabase(database)
      const args = ['--no-owner', '-d', database, join(folder, dumpKey)]
      await restore(findClients().at(-1)!, postgres.env(database), args)
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** The tables of a database, each with a hash of its rows. */
export const rowsOf = async (postgres: Postgres, database: string) =>
  Object.fromEntries(await readTables(postgres, database))
