import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, foreignKey, plan, refusals, table } from '../../../lab/mask-catalog.ts'

const users = table('users', ['id id!', 'boss id'])
const orders = table('orders', ['user_id id', 'other id'])
const key = foreignKey('orders(user_id) -> users(id)')
const shop = catalog([users, orders], { foreignKeys: [key, foreignKey('users(boss) -> users(id)')] })

const rules = (ofUsers: string, ofOrders: string) =>
  `  public.users: ${ofUsers}\n  public.orders: ${ofOrders}`
const KEEP_USERS = (rest: string) => `{keep: [id, boss], ${rest}}`

test('rows that refer to a table whose rows are left out are refused', () => {
  for (const ofUsers of ['none', KEEP_USERS('rows: none')]) {
    assert.deepEqual(refusals(rules(ofUsers, 'keep'), shop), [
      'line 2: public.orders refers to public.users (foreign key orders_fkey), whose rows are left out, so the dump could not be restored; leave the rows of public.orders out too, or mask user_id with null',
    ])
  }
})

test('unless they are left out too, the key becomes NULL, or the restore does not check it', () => {
  assert.ok(plan(rules('none', 'none'), shop))
  assert.ok(plan(rules('none', '{keep: [other], columns: {user_id: null}}'), shop))
  const unchecked = catalog([users, orders], { foreignKeys: [{ ...key, validated: false }] })
  assert.ok(plan(rules('none', 'keep'), unchecked))
})

test('a composite key of which all columns must be NULL together', () => {
  const pairs = table('pairs', ['a id', 'b id'])
  const rule = '  public.pairs: none\n  public.orders: {keep: [other], columns: {user_id: null}}'
  const database = (full: boolean) =>
    catalog([pairs, orders], { foreignKeys: [foreignKey('orders(user_id, other) -> pairs(a, b)', full)] })
  assert.ok(plan(rule, database(false)))
  assert.equal(refusals(rule, database(true)).length, 1)
})

test('a condition for rows that others refer to is a warning', () => {
  assert.deepEqual(plan(rules(KEEP_USERS('rows: id > 5'), 'keep'), shop).warnings, [
    'line 2: public.orders refers to public.users (foreign key orders_fkey), of which "rows" leaves some out; the dump can be restored only if no row refers to those',
  ])
  assert.deepEqual(plan(rules(KEEP_USERS('rows: all'), 'keep'), shop).warnings, [])
})
