import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { marked } from 'marked'
import { fitSummary, MAX_SUMMARY_BYTES } from '../../../src/summary/fit-summary.ts'
import { code, facts, folded, join, md, table } from '../../../src/summary/markdown.ts'

const bytes = (text: string) => Buffer.byteLength(text)

test('any number of tables with names of any characters fits, and each row is whole or counted', () => {
  const LIMIT = 20_000
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
  const property = fc.property(
    fc.array(fc.array(name, { maxLength: 200, size: 'max' }), { maxLength: 4, size: 'max' }),
    (tables) => {
      const rowsOf = (names: string[]) => names.map((one, index) => [code(one), `row ${index}`])
      const sections = tables.map((names) => table(['Name', '>Rows'], rowsOf(names)))
      const text = String(join('\n\n', [md`### Title`, ...sections, md`The end.`]))
      const fitting = fitSummary(text, LIMIT)
      assert.ok(bytes(fitting) <= LIMIT, `${bytes(fitting)} bytes`)
      assert.ok(fitting.endsWith('The end.'))
      const rows = new Set(text.split('\n'))
      const kept = fitting.split('\n').filter((line) => line.startsWith('|'))
      assert.ok(kept.every((line) => rows.has(line)))
      const counted = [...fitting.matchAll(/… and ([\d,]+) more rows?, for which/g)]
      const dropped = counted.reduce((sum, [, count]) => sum + Number(count!.replace(',', '')), 0)
      const all = tables.flat().length + 2 * tables.length
      assert.equal(kept.length + dropped, all)
      if (bytes(text) <= LIMIT) assert.equal(fitting, text)
    },
  )
  fc.assert(property, { numRuns: 100 })
})

test('the largest table loses rows, inside of what is folded, and what follows it stays', () => {
  const rows = Array.from({ length: 30_000 }, (_, index) => [code(`public.täble_${index}`), 'x'.repeat(30)])
  const text = String(
    join('\n\n', [
      md`### ✅ Verified`,
      facts([
        ['Dump', 'there'],
        ['Key', 'k'],
      ]),
      folded('Rows of every table', table(['Table', '>Rows'], rows)),
      md`⚠️ A warning`,
    ]),
  )
  assert.ok(bytes(text) > MAX_SUMMARY_BYTES)
  const fitting = fitSummary(text, MAX_SUMMARY_BYTES)
  assert.ok(bytes(fitting) <= MAX_SUMMARY_BYTES && bytes(fitting) > MAX_SUMMARY_BYTES - 100)
  const [, more] =
    /\n\n… and ([\d,]+) more rows, for which this summary has no room\.\n\n<\/details>\n\n⚠️ A warning$/.exec(
      fitting,
    )!
  const html = marked.parse(fitting, { async: false, gfm: true })
  assert.equal(html.match(/<code>public/g)!.length + Number(more!.replace(',', '')), 30_000)
  assert.match(html, /Key/)
})

test('a text without rows ends at a line, and closes what is open', () => {
  const lines = Array.from({ length: 1000 }, (_, index) => `| ${index} | é`)
  const text = String(folded('Code', md`x\n\n`)).replace('x', ['````diff', ...lines, '````'].join('\n'))
  const fitting = fitSummary(text, 3000)
  assert.ok(bytes(fitting) <= 3000 && bytes(fitting) > 2600)
  assert.match(fitting, /\n\| \d+ \| é\n````\n\n<\/details>\n\nThe rest is left out/)
  assert.equal(fitSummary(text, 100), '')
})
