import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakMessage } from '../../../src/masking/leak-message.ts'
import { LeakScan } from '../../../src/masking/leak-scan.ts'
import { LEAK_KINDS } from '../../../src/masking/leak-window.ts'
import { parseTableColumn } from '../../../src/masking/names.ts'

test('the message names table, column, kind and count, both ways out and no value', () => {
  const scan = new LeakScan([{ name: 'bio', scanned: true }], 'UTF8')
  scan.add(Buffer.from('jane@acme.com\njohn@acme.com\npay DE89370400440532013000\n'))
  const message = leakMessage([{ table: { schema: 'public', name: 'users' }, leaks: scan.end() }])
  assert.match(
    message,
    /^- public\.users\.bio: 2 values with an e-mail address outside the example domains$/m,
  )
  assert.match(message, /^- public\.users\.bio: 1 value with an IBAN$/m)
  assert.match(message, /`allow:` in the mask file/)
  assert.match(message, /`leak-scan: off`/)
  assert.doesNotMatch(message, /acme|jane|DE89/)
})

test('a column is written as an entry of allow has to be', () => {
  const table = { schema: 'audit', name: 'my.table' }
  const leaks = LEAK_KINDS.map((kind) => ({ column: 'a "b" c', kind, count: 1234 }))
  const lines = leakMessage([{ table, leaks }])
    .split('\n')
    .filter((line) => line.startsWith('- '))
  assert.equal(lines.length, 4)
  for (const line of lines) {
    const [, name] = /^- (.*): 1,234 values with [\w -]+$/.exec(line)!
    assert.deepEqual(parseTableColumn(name!), { table, column: 'a "b" c' })
  }
})
