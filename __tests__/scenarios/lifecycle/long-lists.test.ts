import assert from 'node:assert/strict'
import { appendFileSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { runAction } from '../../../lab/runner/action.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { keyAt, storedDump, writeFiles } from '../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../lab/temp.ts'

/** execve(2): MAX_ARG_STRLEN. */
const MAX_VARIABLE_BYTES = 128 * 1024
const keyOf = (minute: number) =>
  keyAt(new Date(Date.UTC(2026, 10, 1) + minute * 60_000).toISOString(), `shop/${'u'.repeat(60)}/none`)

/** Writes that many dumps, each with that many tables. */
function writeDumps(folder: string, dumps: number, tables: number): void {
  const list = Array.from({ length: tables }, (_, index) => ({
    ...{ schema: 'public', name: `täble "${'é'.repeat(40)}" ${index}`, rows: index, bytes: 1 },
  }))
  for (let minute = 1; minute <= dumps; minute += 1)
    writeFiles(folder, storedDump(keyOf(minute), { tables: list }))
}

test('a list of dumps stays small enough for a later step, and says so', async () => {
  await using storage = tempFolder('storage')
  writeDumps(storage.path, 40, 60)
  const inputs = { command: 'list', 'storage-location': storage.path }
  const run = succeeded(await runAction(inputs))
  const dumps = JSON.parse(run.outputs.dumps!)
  assert.ok(Buffer.byteLength(`DUMPS=${run.outputs.dumps}`) < MAX_VARIABLE_BYTES)
  assert.equal(dumps.length, 40)
  assert.equal(dumps[0].key, keyOf(40))
  assert.equal(dumps[0].tables, undefined)
  const whole = JSON.parse(readFileSync(run.outputs['outputs-file']!, 'utf8'))
  assert.equal(whole.dumps.length, 40)
  assert.equal(whole.dumps[39].tables.length, 60)
  assert.match(run.warnings.join('\n'), /The output dumps would have .* cut to 40 elements/)
  assert.match(run.summary, /⚠️ The output dumps would have/)

  writeDumps(storage.path, 300, 1)
  const more = succeeded(await runAction(inputs))
  const newest = JSON.parse(more.outputs.dumps!)
  assert.ok(Buffer.byteLength(`DUMPS=${more.outputs.dumps}`) < MAX_VARIABLE_BYTES)
  assert.ok(newest.length > 50 && newest.length < 300)
  assert.equal(newest[0].key, keyOf(300))
  assert.equal(more.outputs['dump-count'], '300')

  const kept = succeeded(
    await runAction({ ...inputs, command: 'prune', 'keep-last': '1', 'dry-run': 'true' }),
  )
  assert.ok(Buffer.byteLength(kept.outputs.deleted!) <= 100_000)
  assert.deepEqual(JSON.parse(kept.outputs.kept!), [keyOf(300)])
})

test('a summary takes only the room that is left in its file', async () => {
  await using storage = tempFolder('storage')
  writeDumps(storage.path, 40, 1)
  const LEFT = 3000
  const file = fillFile(`${storage.path}/summary`, 1024 * 1024 - LEFT)
  const inputs = { command: 'list', 'storage-location': storage.path }
  succeeded(await runAction(inputs, { env: { GITHUB_STEP_SUMMARY: file } }))
  const text = readFileSync(file)
  assert.ok(text.length <= 1024 * 1024 && text.length > 1024 * 1024 - 600, `${text.length}`)
  assert.match(text.toString(), /\n\n… and \d+ more rows, for which this summary has no room\.\n/)
})

function fillFile(path: string, bytes: number): string {
  appendFileSync(path, `${'x'.repeat(bytes - 2)}\n\n`)
  return path
}
