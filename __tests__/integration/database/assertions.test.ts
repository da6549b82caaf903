import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { checkAssertions } from '../../../src/database/assertions.ts'

const bench = await startSessionBench()

test('verify-sql holds when every statement returns rows and each is true', { skip: noClient }, async () => {
  const cases: [string, RegExp | null][] = [
    ['VALUES (true), (NULL)', /1 of 2 rows is not true/],
    ['VALUES (NULL::boolean)', /1 of 1 row is not true/],
    [`SELECT ''`, /1 of 1 row is not true/],
    ['SELECT true WHERE false', /it returned no row/],
    ['SELECT true, true', /1 of 1 row is not true/],
    ['SELECT', /not true|no row|cannot be read/],
    ['SET work_mem = 1000', /it returned no row/],
    [`SELECT E't\\nt'`, /1 of 1 row is not true/],
    [`VALUES ('t'), ('(1 row)')`, /not true|cannot be read/],
    ['SELECT true WHERE false; SELECT true', /it returned no row/],
    ['SELECT true; SELECT true WHERE false', /it returned no row/],
    ['SELECT true; SELECT NULL::boolean', /1 of 1 row is not true/],
    ['\\pset tuples_only on\nSELECT true', /cannot be read|no row/],
    ['CREATE TEMP TABLE t AS SELECT true AS ok; SELECT ok FROM t; SELECT true', null],
    ['VALUES (true), (true)', null],
  ]
  const workspace = tempFolder('workspace').path
  const signal = new AbortController().signal
  const options = { psql: program('psql'), environment, workspace, signal }
  for (const [index, [sql, says]] of cases.entries()) {
    const file = `check-${index}.sql`
    writeFileSync(join(workspace, file), `${sql};\n`)
    for (const assertion of sql.includes('\n') ? [file] : [file, sql]) {
      const checked = checkAssertions([assertion], bench.connection('postgres'), options)
      if (says) await assert.rejects(checked, says, sql)
      else await checked
    }
  }
})
