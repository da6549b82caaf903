import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, plan, table } from '../../../lab/mask-catalog.ts'
import { keyOf, manifestOf } from '../../../lab/sample-dumps.ts'
import { maskFact, maskSummary, masksByTable } from '../../../src/summary/mask-summary.ts'

test('a plan as a table, in which names cannot break out', () => {
  const database = catalog([table('logs', ['line text']), table('a|b', ['id id', 'e`mail text', 'bio text'])])
  const rules =
    '  public.logs: none\n  public.a|b: {keep: [id], columns: {e`mail: email, bio: {value: "<b>"}}}'
  assert.equal(
    maskSummary(plan(rules, database), null).join(''),
    `<details><summary>2 tables, 2 columns masked: 1 email, 1 value</summary>

| Table | Rows | Masked | Kept |
| :--- | :--- | :--- | :--- |
| <code>public.a&#124;b</code> | all rows | <code>e\\\`mail: email</code><br>\`bio: {value: "<b>"}\` | \`id\` |
| \`public.logs\` | no rows |  |  |

</details>`,
  )
})

test('a dump with its masks, table by table, and one without', () => {
  const plain = manifestOf(keyOf('shop/app/none', 1), 1000)
  assert.deepEqual(maskFact(plain), [])
  assert.equal(masksByTable(plain).toString(), '')
  const mask = { sha256: 'ab'.repeat(32), keyId: '0123456789abcdef', columns: { email: 2, null: 1 } }
  const facts = maskFact({ ...plain, mask }).map(([name, value]) => `${name}: ${value}`)
  assert.deepEqual(facts, [
    `Masked: 3 columns masked: 2 email, 1 null; key \`0123456789abcdef\`, mask file \`${mask.sha256}\``,
  ])
  const tableOf = (name: string) => ({ schema: 'public', name, rows: 1, bytes: 1 })
  const tables = [{ ...tableOf('a|b'), masks: { email: 2, null: 1 } }, tableOf('kept')]
  assert.equal(
    masksByTable({ tables }).toString(),
    `<details><summary>Masks of every table</summary>

| Table | Columns by mask |
| :--- | :--- |
| <code>public.a&#124;b</code> | 2 email, 1 null |

</details>`,
  )
})
