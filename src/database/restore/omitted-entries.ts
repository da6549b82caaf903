import { contentsOnly, type TocEntry } from '../../archive/archive.ts'
import { runChecked } from '../../process/run.ts'
import { type RestoreInputs, restoreArguments } from './pg-restore.ts'

/**
 * Returns the entries that `pg-restore-args` leave out, such as those of other schemas than `--schema`. pg_restore itself
 * says which ones it would restore.
 */
export async function omittedEntries(
  pgRestore: string,
  inputs: RestoreInputs,
  {
    entries,
    env,
    signal,
  }: { entries: readonly TocEntry[]; env: Record<string, string>; signal: AbortSignal },
): Promise<ReadonlySet<TocEntry>> {
  if (inputs.pgRestoreArgs.length === 0) return new Set()
  const list = await runChecked(pgRestore, [...restoreArguments(inputs), '--list'], {
    ...{ env, signal },
    input: contentsOnly(entries),
  })
  const ids = new Set([...list.matchAll(/^(\d+); /gm)].map(([, id]) => Number(id)))
  return new Set(entries.filter(({ dumpId }) => !ids.has(dumpId)))
}
