import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readsOf } from '../../../lab/archive/counted-entry.ts'
import { entry } from '../../../lab/archive/toc-entry.ts'
import type { Addition } from '../../../src/database/restorable.ts'
import { withAdditions } from '../../../src/dumping/complete-archive.ts'

function schema(n: number): Addition {
  const texts = { name: `s${n}`, owner: 'me', sql: `CREATE SCHEMA s${n};\n` }
  return { kind: 'SCHEMA', oid: String(n), ...texts, raw: texts }
}

const head = () => entry({ desc: 'ENCODING', definition: "SET client_encoding = 'UTF8';\n" })

test('what an archive lacks is added behind its head, under IDs that nothing else has', async () => {
  const present = entry({ desc: 'TABLE', tag: 't', dumpId: 7, dependencies: [40] })
  const entries = await withAdditions([schema(1), schema(2)])([head(), present])
  assert.deepEqual(
    entries.map(({ desc, tag }) => `${desc} ${tag}`),
    ['ENCODING ', 'SCHEMA s1', 'SCHEMA s2', 'TABLE t'],
  )
  assert.deepEqual(
    entries.slice(1, 3).map(({ dumpId }) => dumpId),
    [41, 42],
  )
})

test('what an archive has already is not added again', async () => {
  const [present] = await withAdditions([schema(1)])([])
  const entries = await withAdditions([schema(1)])([present!])
  assert.deepEqual(entries, [present])
})

test('additions take work in proportion to their number', async () => {
  const reads = (count: number) => {
    const additions = Array.from({ length: count }, (_, n) => schema(n))
    const others = additions.map((_, n) => entry({ desc: 'SCHEMA', tag: `other${n}` }))
    return readsOf([head(), ...others], withAdditions(additions))
  }
  assert.equal(await reads(400), 2 * (await reads(200)) - (await reads(0)))
})
