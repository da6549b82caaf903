import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { showProgress, showWait } from '../../../src/report/progress.ts'

/** How many lines a progress writes in so many minutes. */
function linesIn(minutes: number, start: () => Disposable): string[] {
  const lines: string[] = []
  const write = mock.method(process.stdout, 'write', (text: string) => lines.push(text))
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  try {
    using _ = start()
    for (let seconds = 0; seconds < minutes * 60; seconds += 5) mock.timers.tick(5_000)
  } finally {
    mock.timers.reset()
    write.mock.restore()
  }
  return lines
}

const transfer = () =>
  showProgress({ verb: 'Dumped', bytes: () => Date.now() * 1000, total: { bytes: 1e12, of: 'the data' } })

test('a transfer is watched closely, then less, and does not flood the log of a night', () => {
  assert.equal(linesIn(1, transfer).length, 12)
  assert.equal(linesIn(31, transfer).length, 72)
  const night = linesIn(8 * 60, transfer)
  assert.ok(night.length > 150 && night.length < 180, String(night.length))
  assert.match(night[0]!, /^Dumped 5\.0 MB, about 0 % of the data, 1\.0 MB\/s, 5\.0 s/)
})

test('work of which no byte can be seen says that it goes on', () => {
  const lines = linesIn(10, () => showWait('pg_restore is still at work'))
  assert.equal(lines.length, 20)
  assert.match(lines[0]!, /^pg_restore is still at work, 30\.0 s/)
})
