import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readsOf } from '../../../../lab/archive/counted-entry.ts'
import { entry } from '../../../../lab/archive/toc-entry.ts'
import { selectEntries } from '../../../../src/database/restore/entry-rules.ts'
import { PROVIDERS } from '../../../../src/database/restore/managed-services.ts'
import type { TargetFacts } from '../../../../src/database/restore/target-facts.ts'

const target: TargetFacts = {
  server: { version: '17.5', major: 17, role: 'app', superuser: false },
  encoding: 'UTF8',
  installed: new Set(['plpgsql']),
  available: new Set(['plpgsql']),
  refused: new Map(),
  schemas: new Map([['public', true]]),
  roles: new Set(),
  mayCreate: { eventTriggers: true, publicationsOfAll: true },
}

const rules = { provider: PROVIDERS.supabase, leaveOut: true, ownerAndAcl: false }

/** A provider's schema with tables that need each other and an extension that the server does not have. */
function archive(tables: number) {
  const extension = entry({ desc: 'EXTENSION', tag: 'pg_net' })
  const schema = entry({ desc: 'SCHEMA', tag: 'realtime', owner: 'supabase_admin' })
  const own = Array.from({ length: tables }, (_, n) =>
    entry({
      ...{ desc: 'TABLE', tag: `t${n}`, namespace: 'realtime', owner: 'supabase_admin' },
      dependencies: [schema.dumpId],
    }),
  )
  const users = Array.from({ length: tables }, (_, n) =>
    entry({ desc: 'TABLE', tag: `u${n}`, namespace: 'public', owner: 'me' }),
  )
  return [extension, schema, ...own, ...users]
}

test('the schema of a provider is left out with all its tables, if no other needs it', () => {
  const all = archive(3)
  const { entries, missing } = selectEntries(all, target, rules)
  assert.deepEqual(missing, [])
  assert.deepEqual(entries, all.slice(-3))
  const user = entry({ desc: 'VIEW', tag: 'v', namespace: 'public', dependencies: [all[2]!.dumpId] })
  const needed = selectEntries([...all, user], target, rules)
  assert.deepEqual(needed.entries, [...all.slice(1), user])
})

test('the choice of entries takes work in proportion to their number', async () => {
  const reads = (tables: number) => readsOf(archive(tables), (all) => selectEntries(all, target, rules))
  assert.equal(await reads(400), 2 * (await reads(200)) - (await reads(0)))
})
