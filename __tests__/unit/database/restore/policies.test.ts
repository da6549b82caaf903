import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyRoles, restrictRoles } from '../../../../src/database/restore/policies.ts'

test('the roles of a policy, whatever its names look like', () => {
  const cases: [string, string[]][] = [
    ['CREATE POLICY p ON public.t USING (true);\n', []],
    ['CREATE POLICY p ON public.t TO reader USING (true);\n', ['reader']],
    [
      `CREATE POLICY "x TO y" ON public."a ON b" FOR SELECT TO "A, ""B""", c USING (a = ' TO d');\n`,
      ['A, "B"', 'c'],
    ],
    ['CREATE POLICY p ON s.t AS RESTRICTIVE FOR INSERT TO a, b WITH CHECK (true);\n', ['a', 'b']],
    ['CREATE POLICY p ON s.t TO "zoë" USING (true);\n', ['zoë']],
    [`CREATE POLICY p ON s.t USING (note = ' TO a');\n`, []],
  ]
  for (const [sql, roles] of cases) assert.deepEqual(policyRoles(sql), roles, sql)
})

test('a policy keeps the roles that are wanted, and all else as it was', () => {
  const sql = `CREATE POLICY "ö" ON s.t FOR ALL TO a, "b, c", d USING (note <> ' TO a, d ');\n`
  assert.equal(
    restrictRoles(sql, (role) => role !== 'b, c'),
    `CREATE POLICY "ö" ON s.t FOR ALL TO a, d USING (note <> ' TO a, d ');\n`,
  )
})
