import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokenConstraints, countValues } from '../../lab/postgres/check-constraints.ts'
import { makePersonalData } from '../../lab/postgres/personal-data.ts'
import { startPostgres } from '../../lab/postgres/postgres.ts'

test('finds what breaks a constraint, though the catalog says that it was validated', async () => {
  await using postgres = await startPostgres()
  await makePersonalData(postgres, 'app')
  assert.deepEqual(await brokenConstraints(postgres, 'app'), [])
  await postgres.psql(
    'app',
    `set session_replication_role = replica;
     delete from passports where country = 'kept-country0';
     update contracts set person = 'nobody' where id = 1;
     update persons set nick = 'nobody' where id = 7;
     alter table persons drop constraint persons_checked_check;
     update persons set checked = '' where id = 5;
     alter table persons add constraint again check (checked <> '') not valid;
     update pg_constraint set convalidated = true where conname = 'again'`,
  )
  const broken = await brokenConstraints(postgres, 'app')
  assert.deepEqual(broken.map((line) => line.replace(/:? .*/s, '')).sort(), [
    'again',
    // By a join, and by VALIDATE.
    ...['contracts_person_fkey', 'contracts_person_fkey', 'payments_person_fkey', 'payments_person_fkey'],
    ...['visas_country_passport_fkey', 'visas_country_passport_fkey', 'visas_nick_fkey', 'visas_nick_fkey'],
  ])
  const counts = await countValues(postgres, 'app')
  assert.equal(counts.get('public.no_columns'), 3)
  assert.equal(counts.get('public.visas'), 51)
  assert.equal(counts.get('public.visas.passport'), 50)
})
