import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, plan, refusals, table } from '../../../lab/mask-catalog.ts'
import type { UniqueKey } from '../../../src/masking/tables.ts'

/** The refusals of a mask for `c`, a text that a key uses. */
function problems(
  mask: string,
  key: Partial<UniqueKey>,
  columns = ['c text', 'other text', 'lowered text = c'],
): string[] {
  const database = catalog([table('t', columns, [key])])
  const rules = `  public.t: {keep: [other], columns: {c: ${mask}}}`
  try {
    plan(rules, database)
    return []
  } catch {
    return refusals(rules, database)
  }
}

const COLLIDING = ['name', 'digits', 'text', '{value: x}', 'empty']

test('masks that may collide are refused where a key keeps values apart', () => {
  const kinds = ['primary key', 'unique index', 'exclusion constraint'] as const
  for (const kind of kinds) {
    for (const mask of COLLIDING) {
      const [problem, ...more] = problems(mask, { kind, name: 'Odd key', columns: ['other', 'c'] })
      assert.match(
        problem ?? '',
        new RegExp(`^line 2: public\\.t\\.c is part of the ${kind} Odd key, and `),
        mask,
      )
      assert.deepEqual(more, [])
    }
    for (const mask of ['email', 'token', 'uuid', '{sql: c}'])
      assert.deepEqual(problems(mask, { kind, columns: ['c'] }), [], mask)
  }
})

test('also where a key has an expression or a condition with the column, or with one that is computed from it', () => {
  for (const key of [{ computedFrom: ['c'] }, { columns: ['lowered'] }, { computedFrom: ['lowered'] }]) {
    for (const mask of [...COLLIDING, 'null']) assert.equal(problems(mask, key).length, 1, mask)
    assert.deepEqual(problems('email', key), [])
  }
})

test('NULLs do not collide, unless the index says so', () => {
  assert.deepEqual(problems('null', { columns: ['c'] }), [])
  assert.equal(problems('null', { columns: ['c'], nullsDistinct: false }).length, 1)
})

test('a key that does not use the column does not matter', () => {
  for (const mask of COLLIDING) assert.deepEqual(problems(mask, { columns: ['other'] }), [])
})

test('a mask without enough room may collide, and one without any room is refused', () => {
  assert.deepEqual(problems('token', { columns: ['c'] }, ['c short', 'other text']), [])
  assert.match(
    problems('email', { columns: ['c'] }, ['c short', 'other text']).join(),
    /is part of the unique index key/,
  )
  assert.match(
    problems('email', {}, ['c tiny', 'other text']).join(),
    /cannot have the mask email: .* needs room/,
  )
  assert.match(
    problems('token', { columns: ['c'] }, ['c id', 'other text']).join(),
    /can make different values equal/,
  )
})

test('an array can be empty, constant, NULL or SQL', () => {
  for (const mask of ['empty', '{value: "{}"}', 'null', '{sql: c}'])
    assert.deepEqual(problems(mask, {}, ['c tags', 'other text']), [])
  for (const mask of ['email', 'name', 'digits', 'token', 'uuid', 'text', '{json: []}'])
    assert.match(
      problems(mask, {}, ['c tags', 'other text']).join(),
      /public\.t\.c cannot have the mask/,
      mask,
    )
})
