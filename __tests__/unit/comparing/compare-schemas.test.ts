import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { entry } from '../../../lab/archive/toc-entry.ts'
import { compareSchemas } from '../../../src/comparing/compare-schemas.ts'
import { filterEntries } from '../../../src/comparing/filter-entries.ts'
import { unifiedDiff } from '../../../src/comparing/line-diff.ts'
import { objectsOf } from '../../../src/comparing/schema-objects.ts'
import { inOrderOf } from '../../../src/comparing/table-definition.ts'

/** Applies a unified diff as patch(1) does. */
function patched(before: string[], diff: string): string[] {
  const result: string[] = []
  let at = 0
  for (const line of diff === '' ? [] : diff.split('\n')) {
    const start = /^@@ -(\d+),(\d+) /.exec(line)
    if (start) {
      const first = Number(start[1]) - (start[2] === '0' ? 0 : 1)
      result.push(...before.slice(at, first))
      at = first
    } else if (line.startsWith('+')) result.push(line.slice(1))
    else {
      assert.equal(line.slice(1), before[at])
      if (line.startsWith(' ')) result.push(before[at]!)
      at += 1
    }
  }
  return [...result, ...before.slice(at)]
}

test('a unified diff leads from one text to the other', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', '', '--', '+x'), { minLength: 1, maxLength: 40 })
  const property = fc.property(lines, lines, (before, after) => {
    const diff = unifiedDiff(before.join('\n'), after.join('\n'))
    if (before.join('\n') === '' || after.join('\n') === '') return
    assert.deepEqual(patched(before, diff), after)
    if (before.join('\n') === after.join('\n')) assert.equal(diff, '')
  })
  fc.assert(property, { numRuns: 500 })
  assert.equal(unifiedDiff('', 'a\nb'), '@@ -0,0 +1,2 @@\n+a\n+b')
  assert.equal(unifiedDiff('1\n2\n3\n4\n5\n6', '1\n2\n3\n4\n5\nx'), '@@ -3,4 +3,4 @@\n 3\n 4\n 5\n-6\n+x')
  const many = Array.from({ length: 3000 }, (_, n) => `line ${n}`)
  const other = many.map((line) => `${line}!`)
  assert.equal(patched(many, unifiedDiff(many.join('\n'), other.join('\n'))).join(), other.join())
})

const table = (...items: string[]) =>
  `CREATE TABLE public.t (\n    ${items.join(',\n    ')}\n)\nINHERITS (public.p);\n`

test('columns count in any order, also with commas, quotes and line breaks in them', () => {
  const items = [
    'id integer NOT NULL',
    `"a, (b""" text DEFAULT 'x,
)''(y'::text`,
    'total numeric(9,2)',
    'CONSTRAINT ok CHECK (((total > (0)::numeric) AND (id <> 1)))',
    `"CONSTRAINT" text DEFAULT E'\\\\'',('::text`,
  ]
  const property = fc.property(fc.shuffledSubarray(items, { minLength: items.length }), (shuffled) => {
    assert.equal(inOrderOf(table(...shuffled), table(...items)), table(...items))
  })
  fc.assert(property, { numRuns: 100 })
  const changed = table('total numeric(12,2)', 'note text', 'id integer NOT NULL')
  assert.equal(
    inOrderOf(changed, table('id integer NOT NULL', 'total numeric(9,2)')),
    table('id integer NOT NULL', 'total numeric(12,2)', 'note text'),
  )
  for (const other of [
    'CREATE TABLE public.t (\n)\n',
    'CREATE VIEW v AS SELECT 1;',
    "CREATE TABLE t (a text DEFAULT 'x",
  ])
    assert.equal(inOrderOf(other, table('a int')), other)
})

test('namesakes are compared as a set, and locales by what they mean', () => {
  const operator = (definition: string) =>
    entry({ desc: 'OPERATOR', namespace: 'public', tag: '=', definition })
  const text = (collation: string) =>
    entry({
      desc: 'INDEX',
      namespace: 'public',
      tag: 'i',
      definition: `CREATE INDEX i ON t (a COLLATE pg_catalog."${collation}");  \n`,
    })
  const objects = (...entries: ReturnType<typeof entry>[]) => objectsOf(entries, { ownerAndAcl: false })
  const comment = entry({ desc: 'COMMENT', tag: 'TABLE t', definition: 'COMMENT …' })
  assert.deepEqual(
    compareSchemas(
      objects(operator('a'), operator('b'), text('en_US.utf8'), comment),
      objects(operator('b'), text('en_US.UTF-8'), operator('a')),
    ),
    [],
  )
  const found = compareSchemas(
    objects(operator('a'), operator('b')),
    objects(operator('b'), operator('c'), text('C')),
  )
  assert.deepEqual(
    found.map(({ change, type }) => `${change} ${type}`),
    ['added INDEX', 'changed OPERATOR'],
  )
})

test('a table is chosen with its parts, its partitions and the sequence that it owns', () => {
  const id = (dumpId: number, desc: string, tag: string, dependencies: number[] = [], namespace = 'public') =>
    entry({ dumpId, desc, tag, namespace, dependencies })
  const entries = [
    entry({ dumpId: 1, desc: 'SCHEMA', tag: 'audit' }),
    entry({ dumpId: 2, desc: 'EXTENSION', tag: 'citext' }),
    id(10, 'TABLE', 'Orders'),
    id(11, 'TABLE', 'customers'),
    id(12, 'SEQUENCE', 'orders_seq'),
    id(13, 'SEQUENCE OWNED BY', 'orders_seq', [12, 10]),
    id(14, 'DEFAULT', 'Orders id', [10, 12]),
    id(15, 'CONSTRAINT', 'customers pkey', [11]),
    id(16, 'FK CONSTRAINT', 'Orders fk', [10, 11, 15]),
    id(17, 'INDEX', 'by_day', [10]),
    id(18, 'TABLE', 'orders_1'),
    id(19, 'TABLE ATTACH', 'orders_1', [10, 18]),
    id(20, 'FUNCTION', 'f()'),
    id(21, 'TABLE', 'log', [], 'audit'),
  ]
  const chosen = (filters: Parameters<typeof filterEntries>[1]) =>
    filterEntries(entries, filters).map(({ tag }) => tag)
  assert.deepEqual(chosen({ tables: ['"Orders"'] }), [
    ...['Orders', 'orders_seq', 'orders_seq', 'Orders id', 'Orders fk', 'by_day', 'orders_1', 'orders_1'],
  ])
  assert.deepEqual(chosen({ tables: ['orders'] }), [])
  assert.deepEqual(chosen({ tables: ['public.c*'] }), ['customers', 'customers pkey'])
  assert.deepEqual(chosen({ schemas: ['aud?t'] }), ['audit', 'log'])
  assert.deepEqual(chosen({ schemas: ['public'], excludeTables: ['"Orders"'] }), [
    'customers',
    'customers pkey',
    'f()',
  ])
  assert.deepEqual(chosen({ excludeSchemas: ['public', 'audit'] }), ['citext'])
  assert.throws(() => chosen({ tables: ['a(b'] }), /The pattern a\(b is not valid/)
})
