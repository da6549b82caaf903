import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entry } from '../../../../lab/archive/toc-entry.ts'
import { forServer } from '../../../../src/database/restore/older-server.ts'

const trigger = `CREATE TRIGGER "EXECUTE FUNCTION" BEFORE UPDATE ON t FOR EACH ROW WHEN ((a <> ') EXECUTE FUNCTION ''x')) EXECUTE FUNCTION f('EXECUTE FUNCTION');\n`

test('#26 a server before 11 gets triggers and publications in its own words', () => {
  const entries = [
    entry({ desc: 'TRIGGER', definition: trigger }),
    entry({
      desc: 'PUBLICATION',
      definition: "CREATE PUBLICATION p WITH (publish = 'insert, delete, truncate');\n",
    }),
    entry({ desc: 'FUNCTION', definition: 'EXECUTE FUNCTION' }),
  ]
  const [first, second, third] = forServer(entries, 10)
  assert.equal(first!.definition, trigger.replace(')) EXECUTE FUNCTION f', ')) EXECUTE PROCEDURE f'))
  assert.equal(second!.definition, "CREATE PUBLICATION p WITH (publish = 'insert, delete');\n")
  assert.equal(third!.definition, 'EXECUTE FUNCTION')
  assert.equal(forServer(entries, 11)[0]!.definition, trigger)
})

test('#26 a server before 12 is not told of access methods', () => {
  const entries = [entry({ desc: 'TABLE', tableam: 'heap' })]
  assert.equal(forServer(entries, 11)[0]!.fields.tableam, null)
  assert.equal(forServer(entries, 12), entries)
})
