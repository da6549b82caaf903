import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { withSubset } from '../../../lab/benches/subset-bench.ts'
import {
  addKey,
  createModel,
  expectedRows,
  type Model,
  maskFileOf,
  models,
  rowsByTrial,
} from '../../../lab/subset-model.ts'

const bench = await startSessionBench()

before(async () => {
  await bench.postgres.createDatabase('sub')
})

/** Every run draws other models; the runs with SEEDS, which may take longer, draw more of them. */
const MODELS = process.env.SEEDS ? 60 : 15

test('the definition of a subset and a trial of all sets of rows agree', () => {
  const small = models(4, 3).filter(({ tables }) => tables.flatMap(({ ids }) => ids).length <= 10)
  fc.assert(
    fc.property(small, (model) => assert.deepEqual(expectedRows(model), rowsByTrial(model))),
    { numRuns: 300 },
  )
})

test('a subset has every row that can stay, and its keys are valid', { skip: noClient }, async () => {
  await fc.assert(fc.asyncProperty(models(12), checkModel), { numRuns: MODELS })
})

async function checkModel(model: Model): Promise<void> {
  await using client = await bench.postgres.connect('sub')
  await client.query('SET client_min_messages = error')
  await client.query('DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public')
  await client.query(createModel(model))
  const expected = expectedRows(model)
  const of = (name: string) =>
    expected.flatMap((row) => (row.startsWith(`${name}.`) ? row.slice(name.length + 1) : [])).sort()
  await withSubset(bench, 'sub', maskFileOf(model), async ({ subset, read }) => {
    for (const { name } of model.tables) assert.deepEqual(await read(name, 'id'), of(name), name)
    for (const { name, before: rows, after, condition, reference, unreferenced } of subset?.filtered ?? []) {
      assert.equal(after, of(name).length)
      assert.equal(rows - after, condition + reference + unreferenced)
      assert.ok(Math.min(condition, reference, unreferenced) >= 0)
    }
  })
  await checkKeys(model, of, client)
}

/** Adds the keys to what is left of the rows, which the server then checks. */
async function checkKeys(
  model: Model,
  kept: (table: string) => string[],
  client: { query(sql: string): Promise<unknown> },
): Promise<void> {
  const keys = model.links.flatMap((link, n) => addKey(model, link, n))
  const drops = keys.map((key) => key.replace(/ADD CONSTRAINT (\w+) .*/, 'DROP CONSTRAINT $1'))
  const deletes = model.tables.map(({ name, shape }) => {
    const ids = kept(name)
    const only = shape === 'partitioned' ? '' : 'ONLY '
    return `DELETE FROM ${only}${name}${ids.length > 0 ? ` WHERE id NOT IN (${ids.join(', ')})` : ''}`
  })
  await client.query(['SET session_replication_role = replica', ...drops, ...deletes, ...keys].join(';'))
}
