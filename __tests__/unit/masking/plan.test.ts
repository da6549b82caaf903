import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, failure, ofPublic, plan, refusals, show, table } from '../../../lab/mask-catalog.ts'

const users = table('users', ['id id!', 'email text', 'bio text', 'folded text = bio'])
const countries = table('countries', ['code text'])

test('a table is kept, masked or left out, and a generated column needs no rule', () => {
  const found = plan(
    '  public.users: {keep: [id], columns: {email: email, bio: text}}\n  public.countries: keep\n  public.l*: none',
    catalog([users, countries, table('logs', ['line text'])]),
  )
  assert.deepEqual(show(found), [
    ['users masked', 'id keep', 'email email', 'bio text', 'folded computed'],
    ['countries keep', 'code keep'],
    ['logs none'],
  ])
  assert.deepEqual(found.warnings, [])
})

test('a table with all columns under keep is kept as it is, and one with a condition is not', () => {
  const rules = (rest: string) => `  public.users: {keep: [id, email, bio]${rest}}`
  const data = (rest: string) => plan(rules(rest), catalog([users])).tables[0]!.data
  assert.equal(data(''), 'keep')
  assert.equal(data(', rows: id > 5'), 'masked')
  assert.equal(data(', rows: none'), 'none')
})

test('a table or column without a rule is refused with the rules to add', () => {
  const message = failure(
    '  public.users: {keep: [id], columns: {email: email}}',
    catalog([users, countries]),
  )
  assert.equal(
    message,
    `mask mask.yml does not fit the database, so nothing was dumped:
These tables and columns have no rule in mask.yml. Add them, with a mask after each colon, or under keep:

tables:
  # add to line 2
  public.users:
    columns:
      bio: # looks like: text
  public.countries:
    columns:
      code: # looks like: text`,
  )
})

test('all that is wrong is in one message, with what may explain it', () => {
  const rules = '  public.users: {keep: [id, emal], columns: {email: "null", bio: json}}'
  const database = catalog([table('users', ['id id!', 'email text!', 'bio text', 'more text']), countries])
  const lines = failure(rules.replace('json', '{json: []}'), database).split('\n')
  assert.deepEqual(lines.slice(1, 4), [
    '  line 2: public.users.email is NOT NULL, so its mask cannot be null',
    '  line 2: public.users.bio cannot have the mask json: json is for json and jsonb, and the column is text',
    '  line 2: public.users has no column emal (did you mean "email"?) (only a warning)',
  ])
  assert.equal(lines.filter((line) => /more:|public\.countries:/.test(line)).length, 2)
})

test('a rule for what does not exist is a warning', () => {
  const rules = `  public.countrys: keep
  public.countries: {keep: [code, name], columns: {cod: text}}
  audit.*: none
  public.seen: none`
  const known = [
    ...catalog([countries]).known,
    { schema: 'public', name: 'seen', kind: 'view' as const, root: null },
  ]
  assert.deepEqual(plan(rules, catalog([countries], { known })).warnings, [
    'line 2: public.countrys does not exist (did you mean "public.countries"?)',
    'line 3: public.countries has no column name',
    'line 3: public.countries has no column cod (did you mean "code"?)',
    'line 4: audit.* matches no table',
    'line 5: public.seen is a view, and a dump contains no rows of it',
  ])
})

test('a rule for a table that the filters leave out is not a mistake', () => {
  const known = catalog([countries, users]).known
  const rules = '  public.users: keep\n  public.countries: keep'
  assert.deepEqual(plan(rules, catalog([countries], { known })).warnings, [])
})

test('a rule for a generated column has no effect, and that is a warning', () => {
  const rules = '  public.users: {keep: [id, email, bio], columns: {folded: text}}'
  assert.match(plan(rules, catalog([users])).warnings.join(), /folded is a generated column/)
})

test('a rule that names a table comes before a pattern', () => {
  const rules = '  public.*: none\n  public.users: {keep: [id, bio], columns: {email: email}}'
  assert.deepEqual(
    plan(rules, catalog([countries, users])).tables.map(({ data }) => data),
    ['none', 'masked'],
  )
})

const events = {
  ...table('events', ['id id', 'at time', 'name text']),
  partitionKey: ['at'],
  parts: [
    table('events_1', ['id id', 'at time', 'name text']).parts[0]!,
    table('events_2', ['name text!', 'id id', 'at time']).parts[0]!,
  ],
}
const withPartitions = catalog([events, countries], {
  known: [
    ...catalog([events, countries]).known,
    ...['events_1', 'events_2'].map((name) => ({
      ...ofPublic(name),
      kind: 'table' as const,
      root: ofPublic('events'),
    })),
  ],
})

test('partitions follow the rule of their root, and what one of them refuses is refused', () => {
  const rules = (rule: string) => `  public.countries: keep\n  public.events: {${rule}}`
  const found = plan(rules('keep: [id, at], columns: {name: name}'), withPartitions)
  assert.deepEqual(
    found.tables[0]!.parts.map(({ name }) => name),
    ['events_1', 'events_2'],
  )
  const wrong = rules('keep: [id], columns: {at: {value: 2020-01-01}, name: "null"}')
  assert.deepEqual(refusals(wrong, withPartitions), [
    'line 3: public.events.at decides to which partition a row belongs, so it cannot be masked; keep it',
    'line 3: public.events.name is NOT NULL, so its mask cannot be null',
  ])
})

test('a rule of its own for a partition is refused, by name and by pattern', () => {
  const root = '  public.countries: keep\n  public.events: keep\n'
  for (const rule of ['public.events_2: keep', 'public.events_2: none', 'public.*_2: none'])
    assert.match(
      refusals(`${root}  ${rule}`, withPartitions).join(),
      /^line 4: \S+ would be a rule of its own for a partition: public\.events_2 is a partition of public\.events and follows its rule\./,
    )
  // It says the same as the rule of the root, or it does not mean the partition.
  assert.equal(
    plan('  public.countries: keep\n  public.events: none\n  public.*_2: none', withPartitions).tables.length,
    2,
  )
  assert.equal(plan(`${root}  public.*: none`, withPartitions).tables[0]!.data, 'keep')
})

test('a table that inherits columns needs its own rule', () => {
  const animals = catalog([table('animals', ['name text']), table('cats', ['name text'])])
  assert.match(
    failure('  public.animals: {columns: {name: name}}', animals),
    /public\.cats:\n {4}columns:\n {6}name:/,
  )
})

test('an empty file, a database without tables', () => {
  assert.deepEqual(plan('tables: {}', catalog([])).tables, [])
})

test('large objects are left out, with a warning, unless they are kept', () => {
  const database = catalog([], { hasLargeObjects: true })
  assert.match(
    plan('tables: {}', database).warnings.join(),
    /^large objects are left out; large-objects: keep/,
  )
  assert.deepEqual(plan('tables: {}', database, { keepsLargeObjects: true }).warnings, [])
})

test('materialized views that read other databases are refused', () => {
  const source = (kind: 'foreign table' | 'dblink' | 'function', name: string) =>
    catalog([], { viewSources: [{ view: ofPublic('v'), kind, name }] })
  assert.match(
    refusals('tables: {}', source('foreign table', 'public.remote')).join(),
    /^materialized view public\.v reads the foreign table public\.remote, .*exclude-table-data: public\.v$/,
  )
  assert.match(
    refusals('tables: {}', source('dblink', 'dblink(text)')).join(),
    /another database by dblink\(text\)/,
  )
  assert.match(plan('tables: {}', source('function', 'f()')).warnings.join(), /public\.v calls f\(\)/)
})

test('row security that hides rows is refused, unless the table is left out', () => {
  const hidden = { ...users, parts: [{ ...users.parts[0]!, hidden: true }] }
  assert.match(
    refusals('  public.users: keep', catalog([hidden])).join(),
    /^row security would hide rows of public\.users from this role/,
  )
  assert.equal(plan('  public.users: none', catalog([hidden])).tables[0]!.data, 'none')
})

test('arguments of pg_dump that would change the rows are refused', () => {
  assert.match(
    refusals('tables: {}', catalog([]), { pgDumpArgs: ['--no-comments', '--inserts'] }).join(),
    /^pg-dump-args has --inserts, .*; remove it$/,
  )
})
