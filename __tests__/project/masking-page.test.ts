/** What docs/masking.md shows: mask files that can be used, and masks as the servers compute them. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { EXPECTED_MASKS } from '../../lab/postgres/expected-masks.ts'
import { root } from '../../lab/runner/action-inputs.ts'
import { parseMaskFile } from '../../src/masking/mask-file.ts'
import { SIMPLE_MASKS } from '../../src/masking/rules.ts'

const page = readFileSync(join(root, 'docs/masking.md'), 'utf8')

test('the mask files of the page can be used', () => {
  const files = [...page.matchAll(/^```yaml\n(tables:\n[\s\S]*?)^```/gm)].map(([, file]) => file!)
  assert.equal(files.length, 2)
  for (const file of files) {
    const { tables } = parseMaskFile('mask.yml', file)
    assert.ok(tables.length > 2)
  }
})

test('the page has every mask, with a value and its mask for the key of the tests', () => {
  const rows = [...page.matchAll(/^\| `(?:(\w+)|\{(\w+): .*?\})` \| .*? \| `(.*?)` → (?:`(.*?)`|NULL) \|/gm)]
  const masks = rows.map(([, simple, mapping]) => (simple ?? mapping)!)
  assert.deepEqual(masks.toSorted(), [...SIMPLE_MASKS, 'value', 'json', 'sql'].toSorted())
  for (const [row, simple, mapping, value, mask] of rows) {
    const word = simple ?? mapping
    const isExpected = EXPECTED_MASKS.some(
      ([, rule, given, expected]) =>
        rule.split(' ')[0] === word && given === value && expected === (mask ?? null),
    )
    assert.ok(isExpected, row)
  }
})
