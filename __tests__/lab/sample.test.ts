import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareDatabases, readTables } from '../../lab/postgres/compare.ts'
import { startPostgres } from '../../lab/postgres/postgres.ts'
import { loadSample, makeData } from '../../lab/postgres/sample.ts'

test('the sample is the same each time, and every difference is found', async () => {
  await using postgres = await startPostgres()
  await loadSample(postgres, 'a', { scale: 0.05 })
  await loadSample(postgres, 'b', { scale: 0.05 })
  const compare = () => compareDatabases(postgres, 'a', postgres, 'b', { ownersAndGrants: true })
  assert.deepEqual(await compare(), [])
  await postgres.psql(
    'b',
    `update shop.products set title = title || '!' where id = 100;
    drop index shop.customers_profile;
    alter table shop.reviews alter stars set default 1;
    alter type shop.category add value 'z';
    select nextval('shop.reviews_id_seq'), lo_put(900100, 0, 'x');
    comment on view reporting.customer_totals is 'new';
    grant select on shop.products to public`,
  )
  const kinds = (await compare()).map((line) => line.replace(/(differs|is missing|is new).*/s, '$1'))
  assert.deepEqual(kinds, [
    'column shop.reviews.stars differs',
    'comment on view reporting.customer_totals is new',
    'index shop.customers_profile is missing',
    'large object 900100 differs',
    'ownersAndGrants of index shop.customers_profile is missing',
    'ownersAndGrants of table shop.products differs',
    'relation shop.customers_profile is missing',
    'rows of shop.products differs',
    'sequence shop.reviews_id_seq differs',
    'type shop.category differs',
  ])
  await makeData(postgres, 'bulk', 2)
  assert.equal((await readTables(postgres, 'bulk')).get('public.bulk')?.rows, 2140)
})
