import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { assertNothingLeft } from '../leftovers.ts'
import { readTables } from '../postgres/compare.ts'
import type { ActionRun } from '../runner/action.ts'
import { failed } from '../runner/outcome.ts'
import type { Bench } from './action-bench.ts'

/** Workflow commands that the Action itself may give. */
export const OWN_COMMANDS = ['add-mask', 'debug', 'endgroup', 'error', 'group', 'notice', 'warning']

export type Witness = {
  /** The five properties of a step that failed: see the assertions. */
  assertHarmless(run: ActionRun, says: RegExp, more?: { secrets?: string[] }): Promise<void>
  /** The same without the first one, for a step that was killed and whose post step has run, or that succeeded. */
  assertClean(run: ActionRun, more?: { secrets?: string[] }): Promise<void>
}

/** Looks at everything that a step could harm, to compare it afterwards. */
export async function witness(bench: Bench, target?: string): Promise<Witness> {
  const { postgres, s3, folder } = bench
  const databases = await postgres.databases()
  const dumps = committedDumps(bench)
  const content = target && databases.includes(target) ? await readTables(postgres, target) : null
  const assertClean: Witness['assertClean'] = async (run, { secrets = [] } = {}) => {
    // No new dump is committed, and nothing is left: no child, database, file, object or upload; no secret shows.
    assert.deepEqual(committedDumps(bench), dumps)
    await assertNothingLeft({ run, postgres, s3, folder, databases, secrets })
    // The target is as it was, or is missing as it was, and lets its clients in.
    if (content) assert.deepEqual(await readTables(postgres, target!), content)
    // Nothing that passed through us gave the runner an order.
    const foreign = run.commands.filter(({ name }) => !OWN_COMMANDS.includes(name))
    assert.deepEqual(foreign, [])
  }
  return {
    assertClean,
    assertHarmless: async (run, says, more) => {
      failed(run, says)
      await assertClean(run, more)
    },
  }
}

/** The keys of everything that `list` would call committed, in both places. */
export function committedDumps({ s3, folder }: Bench): string[] {
  const stored = [...s3.objects().keys()].map((key) => `s3 ${key}`)
  return [...filesBelow(folder), ...stored].filter((key) => /\.dump(\.age)?\.json$/.test(key)).sort()
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
}
