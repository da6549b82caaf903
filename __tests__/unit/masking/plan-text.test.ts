import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, foreignKey, plan, table } from '../../../lab/mask-catalog.ts'
import { maskCounts, planLines } from '../../../src/masking/plan-text.ts'

const estimated = (name: string, columns: string[], rows: number) => {
  const found = table(name, columns)
  return { ...found, parts: found.parts.map((part) => ({ ...part, rows })) }
}

const DATABASE = catalog(
  [
    estimated('users', ['id id', 'email text', 'role text', 'token text', 'folded text = email'], 1234),
    table('orders', ['id id', 'user_email text']),
    table('countries', ['code text']),
    { ...table('jobs', ['command text']), extension: 'cron' },
  ],
  { foreignKeys: [foreignKey('orders(user_email) -> users(email)')] },
)

const RULES = `
  public.users:
    rows: id > 5
    keep: [id, role]
    columns: {email: {mask: email, domain: person}, token: {value: x}}
  public.orders: {keep: [id]}
  public.countries: keep
  public.jobs: none`

test('a plan is described table by table', () => {
  const found = plan(RULES, DATABASE)
  assert.deepEqual(planLines(found), [
    'public.users: rows where id > 5, about 1,234 rows',
    '  keep id, role',
    '  email: {mask: email, domain: person}',
    '  token: {value: "x"}',
    '  folded: computed again from what is restored',
    'public.orders: all rows',
    '  keep id',
    '  user_email: {mask: email, domain: person} (refers to public.users.email)',
    'public.countries: kept as it is',
    'public.jobs (configuration of cron): no rows',
    'large objects: left out',
    '3 columns masked: 2 email, 1 value',
  ])
  assert.deepEqual(maskCounts(found), { email: 2, value: 1 })
})

test('rows that are not masked, and rows that others refer to', () => {
  const described = (rest: string) =>
    planLines(
      plan(
        `  public.countries: {${rest}, columns: {code: text}}`,
        catalog([table('countries', ['code text'])]),
      ),
    )[0]
  assert.equal(described('unless: code IS NULL'), 'public.countries: all rows, not masked where code IS NULL')
  assert.equal(described('rows: referenced'), 'public.countries: rows that kept rows refer to')
})
