import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, failure, foreignKey, plan, refusals, show, table } from '../../../lab/mask-catalog.ts'

const users = table(
  'users',
  ['id id!', 'email text'],
  [{ kind: 'primary key', columns: ['id'] }, { columns: ['email'] }],
)
const orders = table('orders', ['id id!', 'user_email text'])
const notes = table('notes', ['email text'])
const keys = [
  foreignKey('orders(user_email) -> users(email)'),
  foreignKey('notes(email) -> orders(user_email)'),
]
const shop = catalog([users, orders, notes], { foreignKeys: keys })

const MASKED = '  public.users: {keep: [id], columns: {email: {mask: email, domain: person}}}\n'

test('a masked column gives its mask to those that refer to it, from table to table', () => {
  const found = plan(`${MASKED}  public.orders: {keep: [id]}\n  public.notes: {columns: {}}`, shop)
  assert.deepEqual(show(found), [
    ['users masked', 'id keep', 'email email'],
    ['orders masked', 'id keep', 'user_email email refers to public.users.email'],
    ['notes masked', 'email email refers to public.orders.user_email'],
  ])
  const treatments = found.tables.map(({ columns }) => columns.at(-1)!.treatment)
  assert.ok(treatments.every((treatment) => treatment === treatments[0]))
})

test('the same mask may be written again, and another one is refused', () => {
  const rules = (orders: string) => `${MASKED}  public.orders: {${orders}}\n  public.notes: none`
  assert.ok(plan(rules('keep: [id], columns: {user_email: {mask: email, domain: person}}'), shop))
  const text = 'public.orders.user_email refers to public.users.email (foreign key orders_fkey)'
  assert.deepEqual(refusals(rules('keep: [id], columns: {user_email: email}'), shop), [
    `line 3: ${text}, but the mask of the former is email and that of the latter {mask: email, domain: person}. Remove the rule of the former`,
  ])
  assert.deepEqual(refusals(rules('keep: [id, user_email]'), shop), [
    `line 2: ${text}, but public.users.email is masked and public.orders.user_email is not. Mask both, or keep both`,
  ])
  assert.deepEqual(refusals(`${MASKED}  public.orders: keep\n  public.notes: none`, shop), [
    `line 2: ${text}, but public.users.email is masked and public.orders.user_email is not. Mask both, or keep both`,
  ])
})

test('a masked column must not refer to one that is kept, unless its mask is null', () => {
  const rules = (mask: string) =>
    `  public.users: keep\n  public.orders: {keep: [id], columns: {user_email: ${mask}}}\n  public.notes: none`
  assert.match(
    refusals(rules('email'), shop).join(),
    /^line 3: .* but public\.orders\.user_email is masked and public\.users\.email is not\. Mask both, or keep both$/,
  )
  assert.equal(plan(rules('"null"'), shop).tables[1]!.data, 'masked')
})

test('a table without its rows needs no mask', () => {
  assert.ok(plan(`${MASKED}  public.orders: none\n  public.notes: none`, shop))
})

test('SQL is not given to other columns, which need their own', () => {
  const rules = (orders: string) =>
    `  public.users: {keep: [id], columns: {email: {sql: lower(email)}}}\n  public.orders: {keep: [id]${orders}}\n  public.notes: none`
  assert.match(
    refusals(rules(''), shop).join(),
    /^line 2: public\.orders\.user_email refers to public\.users\.email .*whose mask is SQL; give it SQL with the same result$/,
  )
  assert.ok(plan(rules(', columns: {user_email: {sql: lower(user_email)}}'), shop))
})

const pairs = table('pairs', ['a id!', 'b text!'], [{ kind: 'primary key', columns: ['a', 'b'] }])
const points = table('points', ['y text', 'x id'])
const composite = (full: boolean) =>
  catalog([pairs, points], { foreignKeys: [foreignKey('points(x, y) -> pairs(a, b)', full)] })

test('a composite key is followed column by column', () => {
  const rules = '  public.pairs: {keep: [a], columns: {b: token}}\n  public.points: {keep: [x]}'
  assert.deepEqual(show(plan(rules, composite(false)))[1], [
    'points masked',
    'y token refers to public.pairs.b',
    'x keep',
  ])
})

test('one column of a composite key may become NULL, unless all must be NULL together', () => {
  const rules = '  public.pairs: keep\n  public.points: {keep: [x], columns: {y: null}}'
  assert.ok(plan(rules, composite(false)))
  assert.match(
    refusals(rules, composite(true)).join(),
    /public\.points\.y is masked and public\.pairs\.b is not/,
  )
})

test('circles and a table that refers to itself', () => {
  const hens = table('hens', ['name text', 'egg text'], [{ columns: ['name'] }, { columns: ['egg'] }])
  const eggs = table('eggs', ['hen text', 'mother text'], [{ columns: ['hen'] }])
  const circle = catalog([hens, eggs], {
    foreignKeys: [
      foreignKey('hens(egg) -> eggs(hen)'),
      foreignKey('eggs(hen) -> hens(name)'),
      foreignKey('eggs(mother) -> eggs(hen)'),
      foreignKey('hens(name) -> hens(egg)'),
    ],
  })
  const found = plan('  public.hens: {columns: {name: token}}\n  public.eggs: {columns: {}}', circle)
  assert.deepEqual(
    found.tables.flatMap(({ columns }) =>
      columns.map(({ treatment }) => typeof treatment === 'object' && treatment.mask),
    ),
    ['token', 'token', 'token', 'token'],
  )
})

test('a column that refers to two columns with different masks', () => {
  const people = table('people', ['mail text'], [{ columns: ['mail'] }])
  const both = catalog([users, people, orders], {
    foreignKeys: [keys[0]!, foreignKey('orders(user_email) -> people(mail)')],
  })
  const rules = `${MASKED}  public.people: {columns: {mail: token}}\n  public.orders: {keep: [id]}`
  assert.match(
    refusals(rules, both).join(),
    /public\.orders\.user_email refers to public\.\w+\.\w+ .*Remove the rule/,
  )
})

test('references of the mask file are followed like foreign keys', () => {
  const file = (references: string) => `tables:
  public.users: {keep: [id], columns: {email: email}}
  public.notes: {columns: {}}
references:
  - ${references}`
  const database = catalog([users, notes])
  assert.match(
    failure(file('public.notes(email) -> public.users(mail)'), database),
    /names columns that the dump does not contain/,
  )
  assert.equal(
    plan(file('public.notes(email) -> public.users(email)'), database).tables[1]!.columns[0]!.because,
    'refers to public.users.email',
  )
})

test('unless would leave values unmasked that others refer to', () => {
  const rules = (rest: string) =>
    `${MASKED.replace('{keep', `{unless: id < 5, ${rest}keep`)}  public.orders: {keep: [id]}\n  public.notes: none`
  assert.match(
    refusals(rules(''), shop).join(),
    /^line 2: public\.orders\.user_email refers to public\.users\.email .*"unless" of public\.users leaves some rows unmasked/,
  )
  const unrelated = '  public.users: {unless: id < 5, keep: [id], columns: {email: email}}'
  assert.ok(plan(unrelated, catalog([users])))
})

test('a generated column in a foreign key, computed from a column that is masked', () => {
  const computed = table('orders', ['raw text', 'key text = raw'])
  const database = catalog([users, computed], { foreignKeys: [foreignKey('orders(key) -> users(email)')] })
  assert.match(
    refusals('  public.users: keep\n  public.orders: {columns: {raw: email}}', database).join(),
    /public\.orders\.key refers to public\.users\.email .*, but public\.orders\.key is masked and public\.users\.email is not/,
  )
  assert.ok(plan('  public.users: keep\n  public.orders: {keep: [raw]}', database))
})

test('columns of different lengths get the mask of the shortest', () => {
  const short = table('orders', ['user_email short'])
  const database = catalog([users, short], { foreignKeys: [keys[0]!] })
  const found = plan(
    '  public.users: {keep: [id], columns: {email: token}}\n  public.orders: {columns: {}}',
    database,
  )
  assert.deepEqual(
    found.tables.map(({ columns }) => columns.at(-1)!.maskType.type),
    ['character varying(20)', 'character varying(20)'],
  )
  assert.equal(found.tables[0]!.columns.at(-1)!.declared, 'text')
})

test('columns whose types or collations do not allow equal masks', () => {
  const numbers = table('orders', ['user_email uuid'])
  const rules = '  public.users: {keep: [id], columns: {email: token}}\n  public.orders: {columns: {}}'
  assert.match(
    refusals(rules, catalog([users, numbers], { foreignKeys: [keys[0]!] })).join(),
    /must have equal masks, which their types (text and uuid|uuid and text) do not allow/,
  )
  const loose = table('users', ['id id!', 'email text'], [{ columns: ['email'] }])
  const columns = loose.parts[0]!.columns.map((column) => ({ ...column, deterministic: false }))
  const tables = [
    { ...loose, parts: [{ ...loose.parts[0]!, columns }] },
    table('orders', ['user_email text']),
  ]
  assert.match(
    refusals(rules, catalog(tables, { foreignKeys: [keys[0]!] })).join(),
    /public\.users\.email has a collation that takes different values for equal/,
  )
})
