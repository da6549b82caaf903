/** Subsets by the built action: what is restored, what the manifest and the summary say, and what is refused. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import type { ActionRun } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import type { Manifest } from '../../../src/storage/manifest.ts'

const SCHEMA = `
  CREATE TABLE "Kündën" (id int PRIMARY KEY, mail text UNIQUE, best int, at timestamptz DEFAULT now());
  CREATE TABLE orders (id int, customer int NOT NULL REFERENCES "Kündën", part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
  CREATE TABLE orders_1 PARTITION OF orders FOR VALUES IN (1);
  CREATE TABLE orders_2 PARTITION OF orders FOR VALUES IN (2);
  CREATE TABLE products (id int PRIMARY KEY, name text);
  CREATE TABLE items (n int, "order" int, part int, product int REFERENCES products, FOREIGN KEY ("order", part) REFERENCES orders);
  CREATE TABLE countries (code text);
  INSERT INTO "Kündën" SELECT n, 'user' || n || '@example.org', CASE WHEN n % 10 = 0 THEN 400 ELSE 1 + n % 9 END, now() - n * interval '1 day' FROM generate_series(1, 500) AS n;
  INSERT INTO orders SELECT n, 1 + n % 500, 1 + n % 2 FROM generate_series(1, 5000) AS n;
  ALTER TABLE "Kündën" ADD FOREIGN KEY (best) REFERENCES "Kündën";
  INSERT INTO products SELECT n, 'product ' || n || ' é' FROM generate_series(1, 500) AS n;
  INSERT INTO items SELECT n, 1 + n % 5000, 1 + (1 + n % 5000) % 2, 1 + n % 499 FROM generate_series(1, 15000) AS n;
  INSERT INTO countries VALUES ('de');`

const SUBSET = `tables:
  public.Kündën: {rows: "at > now() - interval '100 days' or mail like '%ü'", keep: [id, mail, best, at]}
  public.orders: keep
  public.items: keep
  public.products: {rows: referenced, keep: [id, name]}
  public.countries: keep
`

let bench: Bench

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase(
    'shop',
    "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
  )
  await bench.postgres.psql('shop', SCHEMA)
})
after(() => bench?.[Symbol.asyncDispose]())

/** Runs a dump with this mask file. */
function step(text: string, inputs: Inputs = {}) {
  const workspace = tempFolder('workspace').path
  writeFileSync(join(workspace, 'subset.yml'), text)
  return bench.run('dump', 'folder', 'shop', { mask: 'subset.yml', ...inputs }, { cwd: workspace })
}

/** What the manifest of a dump says about masks, and the rows of each table after and before the subset. */
function manifestOf({ outputs }: ActionRun) {
  const text = readFileSync(join(bench.folder, `${outputs['dump-key']}.json`), 'utf8')
  const { mask, tables } = JSON.parse(text) as Manifest
  return {
    mask,
    before: Object.fromEntries(tables.map((table) => [table.name, [table.rows, table.rowsBefore]])),
  }
}

const COUNTS = `SELECT (SELECT count(*) FROM "Kündën") || ' ' || (SELECT count(*) FROM orders) || ' ' ||
  (SELECT count(*) FROM items) || ' ' || (SELECT count(*) FROM products) || ' ' || (SELECT count(*) FROM countries)`

test('a pure subset is restored with all of its keys, over one connection and over several', async () => {
  const { postgres } = bench
  const run = succeeded(await step(SUBSET, { jobs: '4' }))
  const restored = 'shop_4'
  succeeded(
    await bench.run('restore', 'folder', restored, {
      'dump-key': run.outputs['dump-key']!,
      'require-masked': 'true',
    }),
  )
  const counts = (await postgres.psql(restored, COUNTS)).split(' ').map(Number)
  const [customers, orders, items, products, countries] = counts as [number, number, number, number, number]
  // Of 99, those do not stay whose best friend does not.
  assert.equal(customers, 90)
  assert.equal(orders, customers * 10)
  assert.equal(items, orders * 3)
  assert.ok(products > 0 && products <= 499)
  assert.equal(countries, 1)
  const invalid = `SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated`
  assert.equal(await postgres.psql(restored, invalid), '0')
  const unused = `SELECT count(*) FROM products WHERE id NOT IN (SELECT product FROM items)`
  assert.equal(await postgres.psql(restored, unused), '0')
  const { mask, before } = manifestOf(run)
  assert.deepEqual(before.Kündën, [customers, 500])
  assert.deepEqual(before.products, [products, 500])
  assert.equal(before.orders_1![1]! + before.orders_2![1]!, 5000)
  assert.deepEqual(mask!.columns, {})
  assert.match(
    run.log,
    /public\.items: [\d,]+ of 15,000 rows stay; [\d,]+ refer to rows of public\.orders that are left out/,
  )
  assert.match(run.summary, /rows stay in 4 filtered tables/)
  const single = succeeded(await step(SUBSET, { jobs: '1' }))
  assert.deepEqual(manifestOf(single).before, before)
})

test('the plan of a dry run has the rows, and moves none', async () => {
  const run = succeeded(
    await step(SUBSET.replace('countries: keep', 'countries: none'), { 'dry-run': 'true' }),
  )
  assert.match(run.summary, /filtered tables/)
  assert.match(
    run.log,
    /public\.products: [\d,]+ of 500 rows stay; [\d,]+ have no reference from a row that stays/,
  )
  assert.equal(run.outputs['dump-key'], undefined)
})

test('what the server refuses names the line, and no value', async () => {
  const wrong = await step(SUBSET.replace(/at > now.*'%ü'/, 'mail::int > 3'))
  failed(wrong, /"rows" of public\.Kündën in line 2 failed: a text is not a value of the type/)
  assert.doesNotMatch(wrong.log, /user\d+@/)
})

test('a standby cannot have the temporary tables, and says so', async () => {
  await using standby = await startPostgres({ standbyOf: bench.postgres })
  const run = await step(SUBSET, { 'database-url': standby.url('shop') })
  failed(run, /the server is a standby, which cannot have them; use the URL of its primary/)
})
