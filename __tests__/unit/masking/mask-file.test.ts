import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMaskFile } from '../../../src/masking/mask-file.ts'
import { columnText, matchesPattern, tableText } from '../../../src/masking/names.ts'

const parse = (text: string) => parseMaskFile('mask.yml', text)

/** The problems of a file, without the heading. */
function problems(text: string): string[] {
  try {
    parse(text)
  } catch (error) {
    const [heading, ...lines] = (error as Error).message.split('\n')
    assert.equal(heading, 'mask mask.yml cannot be used:')
    return lines.map((line) => line.trim())
  }
  return []
}

/** The problems of the columns of one table, the first of which is in line 4. */
const columnProblems = (columns: string) =>
  problems(`tables:\n  public.users:\n    columns:\n      ${columns.replaceAll('\n', '\n      ')}\n`)

const EVERYTHING = `
tables:
  public.users:
    rows: created_at > now() - interval '90 days'
    keep: [id, created_at, "createdBy", '"odd""one"', a.b]
    unless: email LIKE '%@acme.example'
    columns:
      email: email
      full_name: name
      national_id: {mask: token, domain: person}
      password_digest: {value: "$2b$12$..."}
      active: {value: false}
      settings: {json: [theme, notifications.email, '"a.b".c']}
      nothing: {json: []}
      birth_date: {sql: "date_trunc('year', birth_date)::date"}
      notes: null
      more: "null"
      less: ~
      null: {mask: null}
  public."Order": {rows: referenced, keep: [id]}
  public.countries: keep
  public.sessions: none
  audit.*: none
  "*.*_tmp_*": none
references:
  - public.comments(commentable_id) -> public.posts(id) when commentable_type = 'Post'
  - public."a.b"(x, "y z")->public.c( x , y )
allow: [public.users.email, 'public."a.b".c']
`

test('the whole grammar is read, with lines', () => {
  const file = parse(EVERYTHING)
  const [users, order, countries, sessions, audit, temporary] = file.tables
  assert.ok(users?.data === 'masked' && order?.data === 'masked')
  assert.deepEqual(users.table, { schema: 'public', name: 'users' })
  assert.deepEqual(users.rows, { line: 4, condition: "created_at > now() - interval '90 days'" })
  assert.deepEqual(users.unless, { line: 6, condition: "email LIKE '%@acme.example'" })
  assert.deepEqual(
    users.keep.map(({ name }) => name),
    ['id', 'created_at', 'createdBy', 'odd"one', 'a.b'],
  )
  assert.deepEqual(Object.fromEntries(users.columns), {
    email: { line: 8, domain: '', mask: 'email' },
    full_name: { line: 9, domain: '', mask: 'name' },
    national_id: { line: 10, domain: 'person', mask: 'token' },
    password_digest: { line: 11, domain: '', mask: 'value', value: '$2b$12$...' },
    active: { line: 12, domain: '', mask: 'value', value: 'false' },
    settings: {
      line: 13,
      domain: '',
      mask: 'json',
      paths: [['theme'], ['notifications', 'email'], ['a.b', 'c']],
    },
    nothing: { line: 14, domain: '', mask: 'json', paths: [] },
    birth_date: { line: 15, domain: '', mask: 'sql', expression: "date_trunc('year', birth_date)::date" },
    notes: { line: 16, domain: '', mask: 'null' },
    more: { line: 17, domain: '', mask: 'null' },
    less: { line: 18, domain: '', mask: 'null' },
    null: { line: 19, domain: '', mask: 'null' },
  })
  assert.deepEqual(order.table, { schema: 'public', name: 'Order' })
  assert.deepEqual([order.rows, order.unless, order.columns.size, order.line], ['referenced', null, 0, 20])
  assert.deepEqual(countries, { line: 21, data: 'keep', table: { schema: 'public', name: 'countries' } })
  assert.ok(sessions?.data === 'none' && audit?.data === 'none' && temporary?.data === 'none')
  assert.ok(matchesPattern(sessions.pattern, { schema: 'public', name: 'sessions' }))
  assert.ok(!matchesPattern(sessions.pattern, { schema: 'public', name: 'sessions2' }))
  assert.ok(matchesPattern(audit.pattern, { schema: 'audit', name: 'a\n.b' }))
  assert.ok(!matchesPattern(audit.pattern, { schema: 'xaudit', name: 'a' }))
  assert.ok(matchesPattern(temporary.pattern, { schema: 'x', name: 'y_tmp_z' }))
  assert.deepEqual(file.references, [
    {
      line: 26,
      from: { table: { schema: 'public', name: 'comments' }, columns: ['commentable_id'] },
      to: { table: { schema: 'public', name: 'posts' }, columns: ['id'] },
      when: "commentable_type = 'Post'",
    },
    {
      line: 27,
      from: { table: { schema: 'public', name: 'a.b' }, columns: ['x', 'y z'] },
      to: { table: { schema: 'public', name: 'c' }, columns: ['x', 'y'] },
      when: null,
    },
  ])
  assert.deepEqual(file.allow, [
    { line: 28, table: { schema: 'public', name: 'users' }, column: 'email' },
    { line: 28, table: { schema: 'public', name: 'a.b' }, column: 'c' },
  ])
})

test('every mistake is in one message, with its line', () => {
  const text = `tabels: {}
tables:
  users: keep
  public.a: kep
  public.b: {colums: {x: emial}}
  public.c: {keep: [id, id], columns: {id: email, x: tokn, x: uuid}}
  public.d*: keep
  public.e: {}
  public.a: none
references: ['public.a(x) -> public.b(x, y)', nonsense]
allow: [public.users]
`
  assert.deepEqual(problems(text), [
    'line 1: unknown key "tabels" in the mask file (did you mean "tables"?)',
    'line 3: "users" is not a table with its schema, such as public.users or public."my.table"',
    'line 4: public.a must be keep, none, or a mapping with "keep" and "columns" (did you mean "keep"?)',
    'line 5: unknown key "colums" in public.b (did you mean "columns"?)',
    'line 6: "id" is under keep twice',
    'line 6: "x" is in line 6 already',
    'line 6: "id" is under keep already (line 6)',
    'line 6: "tokn" is not a mask for "x" (did you mean "token"?); known are null, empty, email, name, digits, token, uuid, text, value, json and sql',
    'line 7: public.d* is a pattern, and a pattern can only be "none"',
    'line 8: public.e has no rule',
    'line 9: "public.a" is in line 4 already',
    'line 10: "public.a(x) -> public.b(x, y)" has 1 columns on the left and 2 on the right',
    'line 10: "nonsense" is not a reference such as public.comments(post_id) -> public.posts(id), with "when" and a condition if need be',
    'line 11: "public.users" is not a column with its table, such as public.users.bio',
  ])
})

for (const [what, text, expected] of [
  ['an empty file', '', ['line 1: a value is missing']],
  ['a list', '- a', ['line 1: the mask file must be a mapping']],
  ['no tables', 'allow: []', ['line 1: the key "tables" is missing']],
  ['tables without any', 'tables:\n', ['line 1: a value is missing']],
  [
    'the same table in other quotes',
    'tables:\n  public.a: keep\n  public."a": none',
    ['line 3: public."a" is in line 2 already'],
  ],
  [
    'broken YAML',
    'tables: {',
    ['line 1: invalid YAML: Flow map in block collection must be sufficiently indented and end with a }'],
  ],
  ['a pattern without quotes', 'tables:\n  *.tmp: none', ['line 2: put a name that begins with * in quotes']],
  [
    'an alias',
    'tables:\n  public.a: *x',
    ['line 2: aliases (*name) are not supported; put a name that begins with * in quotes'],
  ],
  ['an anchor', 'tables: &x\n  public.a: keep', ['line 2: anchors (&name) are not supported']],
  ['a merge key', 'tables:\n  <<: {public.a: keep}', ['line 2: merge keys (<<) are not supported']],
  ['a tag', 'tables:\n  public.a: !sql keep', ['line 2: tags (!sql) are not supported']],
  ['a list as key', 'tables:\n  ? [a]\n  : keep', ['line 2: a key must be a text']],
  ['two documents', 'tables: {}\n---\ntables: {}', ['line 2: a second document begins here']],
  [
    'rows that are misspelt',
    'tables:\n  public.a: {rows: refrenced}',
    [
      'line 2: "rows" of public.a is "refrenced" (did you mean "referenced"?); a column needs parentheses: (refrenced)',
    ],
  ],
  [
    'rows that are two statements',
    'tables:\n  public.a: {rows: "true; select 1"}',
    ['line 2: "rows" of public.a has a semicolon; it must be one SQL condition'],
  ],
  [
    'a condition that leaves its parentheses',
    'tables:\n  public.a: {unless: "a) or (b"}',
    ['line 2: "unless" of public.a has a bracket too many: ")"; it must be one SQL condition'],
  ],
  [
    'keep that is no list',
    'tables:\n  public.a: {keep: id}',
    ['line 2: "keep" of public.a must be a list, such as [a, b]'],
  ],
  [
    'a list in keep',
    'tables:\n  public.a: {keep: [[id]]}',
    ['line 2: an item of "keep" of public.a must be a text'],
  ],
  [
    'null in keep',
    'tables:\n  public.a: {keep: [null]}',
    ['line 2: an item of "keep" of public.a has no value (a text such as null needs quotes)'],
  ],
  [
    'a reference with a wrong condition',
    'tables: {}\nreferences: ["p.a(x) -> p.b(y) when ("]',
    ['line 2: "p.a(x) -> p.b(y) when (" has a condition that has a bracket that is not closed: "("'],
  ],
] as const)
  test(`refused: ${what}`, () => assert.deepEqual(problems(text), expected))

for (const [columns, expected] of [
  ['a: keep', '"keep" is not a mask for "a"; list the column under keep'],
  ['a: value', '"value" is not a mask for "a"; write {value: …}'],
  [
    'a: [email]',
    'the mask of "a" must be a word or a mapping; known are null, empty, email, name, digits, token, uuid, text, value, json and sql',
  ],
  ['a:', 'a value is missing'],
  ['a: {}', 'the rule of "a" must have exactly one of mask, value, json, sql'],
  ['a: {mask: email, value: x}', 'the rule of "a" must have exactly one of mask, value, json, sql'],
  ['a: {mas: email, mask: token}', 'unknown key "mas" in the rule of "a" (did you mean "mask"?)'],
  ['a: {mask: empty, domain: x}', '"domain" means nothing to empty, which does not depend on the value'],
  ['a: {mask: token, domain: ""}', '"domain" of "a" is empty'],
  ['a: {mask: token, domain: [x]}', '"domain" of "a" must be a text'],
  ['a: {value: null}', '"value" of "a" has no value (a text such as null needs quotes)'],
  ['a: {value: {b: c}}', '"value" of "a" must be a text'],
  ['a: {value: "x\\0y"}', '"value" of "a" has a zero byte'],
  ['a: {json: theme}', '"json" of "a" must be a list, such as [a, b]'],
  ['a: {json: [a..b]}', '"a..b" is not a path such as theme or notifications.email'],
  ['a: {json: ["a."]}', '"a." is not a path such as theme or notifications.email'],
  [
    'a: {sql: "1, 2"}',
    '"sql" of "a" has a comma, so it is more than one expression; it must be one SQL expression',
  ],
  ['a: {sql: "-- all"}', '"sql" of "a" is empty; it must be one SQL expression'],
  ["'\"a': email", '"\\"a" is not the name of a column'],
] as const)
  test(`refused: ${columns}`, () => assert.deepEqual(columnProblems(columns), [`line 4: ${expected}`]))

test('names are written so that they are read as the same names', () => {
  for (const name of ['users', 'Order', 'a.b', 'a*', '"', 'x y', "it's", 'a,b', 'a(b)', 'ü']) {
    const file = parse(
      JSON.stringify({ tables: { [tableText({ schema: name, name })]: { keep: [columnText(name)] } } }),
    )
    const [rule] = file.tables
    assert.ok(rule?.data === 'masked')
    assert.deepEqual([rule.table, rule.keep[0]?.name], [{ schema: name, name }, name])
  }
})
