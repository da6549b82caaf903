import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, plan, table } from '../../../lab/mask-catalog.ts'
import { maskSummary } from '../../../src/summary/mask-summary.ts'

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
