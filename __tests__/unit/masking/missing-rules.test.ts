import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, failure, foreignKey, plan, table } from '../../../lab/mask-catalog.ts'
import type { Catalog } from '../../../src/masking/tables.ts'

const DATABASE = catalog(
  [
    table(
      'users',
      [
        'id big!',
        'email text',
        'name text',
        'tags tags',
        'settings json',
        'is_admin id',
        'created_at time',
        'seen time',
      ],
      [{ kind: 'primary key', columns: ['id'] }],
    ),
    table(
      'orders',
      ['id id!', 'user_id big', 'email text', 'full name text', 'null text'],
      [{ kind: 'primary key', columns: ['id'] }],
    ),
    table('user_sessions', ['data text']),
    table('My.Table', []),
    { ...table('jobs', ['command text']), extension: 'cron' },
    table('links', ['user_id big']),
  ],
  {
    foreignKeys: [
      foreignKey('orders(user_id) -> users(id)'),
      foreignKey('orders(email) -> users(email)'),
      foreignKey('links(user_id) -> users(id)'),
    ],
  },
)

/** The rules that an error says to add. */
function missing(rules: string, database: Catalog): string {
  return failure(rules, database).split('\n\n')[1]!
}

const FIRST_FILE = `tables:
  public.users:
    keep: [id, created_at]
    columns:
      email: # looks like: email
      name: # looks like: name
      tags: # text[]
      settings: # looks like: {json: []}
      is_admin: # integer
      seen: # timestamp with time zone
  public.orders:
    keep: [id, user_id]
    columns:
      email: # refers to public.users.email; remove this line if that is masked
      full name: # looks like: name
      "null": # looks like: text
  # looks like: none
  public.user_sessions:
    columns:
      data: # looks like: text
  public."My.Table": keep
  # configuration of the extension cron; looks like: none
  public.jobs:
    columns:
      command: # looks like: text
  public.links:
    keep: [user_id]`

test('with an empty file, the error is the whole first file', () => {
  assert.equal(missing('tables: {}', DATABASE), FIRST_FILE)
})

test('what is pasted without a decision is an error for each column', () => {
  const empty = FIRST_FILE.match(/^ {6}.*: #/gm)!
  assert.equal(empty.length, 11)
  assert.equal(failure(FIRST_FILE, DATABASE).match(/a value is missing/g)?.length, empty.length)
})

test('after the decisions, the pasted file is complete', () => {
  const decided = FIRST_FILE.replace(/^ {6}email: # refers.*\n/m, '')
    .replace('email: #', 'email: email #')
    .replaceAll(/^( {6}.*?:) #/gm, '$1 {sql: "NULL"} #')
  assert.deepEqual(plan(decided, DATABASE).warnings, [])
})

test('only what is missing is listed, and where it belongs', () => {
  const file = FIRST_FILE.replaceAll(/^( {6}.*?:) #/gm, '$1 {sql: "NULL"} #')
  const without = file
    .replace(/^ {6}seen.*\n/m, '')
    .replace('keep: [id, created_at]', 'keep: [created_at]')
    .replace(/ {2}public\.links:\n.*/, '')
  assert.equal(
    missing(without, DATABASE),
    `tables:
  # add to line 2
  public.users:
    keep: [id]
    columns:
      seen: # timestamp with time zone
  public.links:
    keep: [user_id]`,
  )
})

test('a column that refers to a kept one says so', () => {
  const database = catalog([table('users', ['email text']), table('orders', ['email text'])], {
    foreignKeys: [foreignKey('orders(email) -> users(email)')],
  })
  assert.match(
    missing('  public.users: keep', database),
    /email: # refers to public\.users\.email, which is kept$/,
  )
})
