import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { tempFolder } from '../../../lab/temp.ts'
import { cutOutput, MAX_OUTPUT_BYTES } from '../../../src/report/fit-output.ts'
import { takeWarnings } from '../../../src/report/log.ts'
import { fitOutputs } from '../../../src/report/outputs.ts'

const bytes = (text: string) => Buffer.byteLength(text)

/** Names of any characters, some of which JSON writes as six bytes, long enough that a few hundred do not fit. */
const name = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.repeat(20))
const table = fc.record({ schema: name, name, rows: fc.nat() })

test('an output that is a JSON array loses its last elements and nothing else', () => {
  let cut = 0
  const property = fc.property(fc.array(table, { minLength: 0, maxLength: 200, size: 'max' }), (tables) => {
    const text = JSON.stringify(tables)
    const fitting = cutOutput(text)
    assert.ok(bytes(fitting) <= MAX_OUTPUT_BYTES)
    const kept = JSON.parse(fitting)
    assert.deepEqual(kept, JSON.parse(text).slice(0, kept.length))
    if (kept.length === tables.length) return
    cut += 1
    assert.ok(bytes(JSON.stringify(tables.slice(0, kept.length + 1))) > MAX_OUTPUT_BYTES, 'one more fits')
  })
  fc.assert(property, { numRuns: 60 })
  assert.ok(cut > 5, 'no array was too long')
})

test('an output that is a JSON object keeps its small fields', () => {
  const property = fc.property(fc.array(table, { maxLength: 300, size: 'max' }), name, (tables, reason) => {
    const object = { command: 'dump', tables, reason: reason.repeat(200), nested: { tables }, rows: 3 }
    const fitting = cutOutput(JSON.stringify(object))
    assert.ok(bytes(fitting) <= MAX_OUTPUT_BYTES)
    const { command, rows } = JSON.parse(fitting)
    assert.deepEqual({ command, rows }, { command: 'dump', rows: 3 })
  })
  fc.assert(property, { numRuns: 60 })
})

test('a text is cut between characters', () => {
  const property = fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (piece) => {
    const text = piece.repeat(Math.ceil((MAX_OUTPUT_BYTES + 5) / bytes(piece)))
    const fitting = cutOutput(`x${text}`)
    assert.ok(bytes(fitting) <= MAX_OUTPUT_BYTES && bytes(fitting) > MAX_OUTPUT_BYTES - 4)
    assert.ok(`x${text}`.startsWith(fitting))
  })
  fc.assert(property, { numRuns: 60 })
})

test('what is cut is whole in a file, and a warning names the output', async () => {
  await using folder = tempFolder('outputs')
  const dumps = Array.from({ length: 20 }, (_, id) => ({ id, tables: ['é'.repeat(5000)] }))
  const shorter = JSON.stringify(dumps.map(({ id }) => ({ id })))
  takeWarnings()
  const outputs = await fitOutputs(
    { dumps: { whole: JSON.stringify(dumps), shorter }, kept: JSON.stringify(dumps), 'dump-count': 20 },
    folder.path,
  )
  assert.equal(outputs.dumps, shorter)
  assert.equal(JSON.parse(String(outputs.kept)).length, 9)
  assert.equal(outputs['dump-count'], 20)
  const whole = JSON.parse(readFileSync(String(outputs['outputs-file']), 'utf8'))
  assert.deepEqual(whole, { dumps, kept: dumps })
  const warnings = takeWarnings()
  assert.match(warnings[0]!, /^The output dumps would have 200 kB, .* was cut to 20 elements; .*outputs-file/)
  assert.match(warnings[1]!, /^The output kept would have 200 kB, .* was cut to 9 elements/)
})

test('outputs that fit stay as they are, and a folder that cannot be written to is a warning', async () => {
  takeWarnings()
  const small = { dumps: { whole: '[1]', shorter: '[]' }, 'dump-count': 1 }
  assert.deepEqual(await fitOutputs(small, '/nowhere'), { dumps: '[1]', 'dump-count': 1 })
  assert.deepEqual(takeWarnings(), [])
  const outputs = await fitOutputs({ text: 'x'.repeat(200_000) }, '/nowhere')
  assert.deepEqual(outputs, { text: 'x'.repeat(MAX_OUTPUT_BYTES) })
  const [missing, cut] = takeWarnings()
  assert.match(missing!, /could not be written to \/nowhere: ENOENT/)
  assert.match(cut!, /was cut to 100 kB$/)
})
