import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Contest, Result } from '../../bench/contest.ts'
import { allContests } from '../../bench/contests.ts'
import { NOTES } from '../../bench/notes.ts'
import { headlineOf, type Run, writtenPage } from '../../bench/page.ts'
import { MEMORY, TARGETS } from '../../bench/targets.ts'

const result = (name: string, seconds: number[], more: Partial<Result> = {}): Result => ({
  ...{ name, seconds, ours: name.startsWith('ours'), treePeak: 30e6, ownPeak: 20e6, size: null },
  ...{ processor: { server: 1.25, pg_dump: 0.04 } },
  ...more,
})

test('targets, headlines and notes name contests, contenders and targets that exist', () => {
  const contests = new Map(allContests().map((contest) => [contest.id, contest]))
  const namesIn = (id: string) => contests.get(id)?.contenders.map(({ name }) => name) ?? []
  for (const { work, contest, ours, peer } of TARGETS)
    for (const name of [ours, peer]) assert.ok(namesIn(contest).includes(name), `${work}: ${name}`)
  for (const { id, headline } of contests.values())
    for (const name of headline ? [headline.ours, headline.peer] : [])
      assert.ok(namesIn(id).includes(name), `${id}: ${name}`)
  assert.equal(new Set(TARGETS.map(({ work }) => work)).size, TARGETS.length)
  const works = TARGETS.map(({ work }) => work)
  for (const work of Object.keys(NOTES)) assert.ok([...works, MEMORY].includes(work), work)
})

test('each database is made once, and every row has a name of its own', () => {
  const data = allContests().map(({ data }) => data)
  const made = data.filter((name, index) => name !== data[index - 1])
  assert.equal(new Set(made).size, made.length)
  for (const { id, contenders } of allContests())
    assert.equal(new Set(contenders.map(({ name }) => name)).size, contenders.length, id)
})

const contest = (id: string) => allContests().find((one) => one.id === id)!

function headline(ours: number[], peer: number[]): string | null {
  const { headline } = contest('copy-large')
  return headlineOf(contest('copy-large'), [result(headline!.ours, ours), result(headline!.peer, peer)])
}

test('a headline says in one sentence what the ratio within the rounds means', () => {
  const start = 'A copy of 1 GB to another server'
  const peer = 'with `pg_dump -Z0 | pg_restore`'
  assert.equal(
    headline([2, 40], [4, 80]),
    `${start} is 2.00 times as fast as ${peer} (21.0 s instead of 42.0 s).`,
  )
  assert.equal(headline([6], [4]), `${start} takes 1.50 times as long as ${peer} (6.0 s instead of 4.0 s).`)
  assert.equal(headline([4.1], [4]), `${start} takes as long as ${peer} (4.1 s instead of 4.0 s).`)
  const huge = contest('memory-huge') as Contest
  assert.equal(
    headlineOf(
      huge,
      huge.contenders.map(({ name }) => result(name, [1])),
    ),
    null,
  )
})

const run = (results: Result[]): Run => ({
  machine: { model: 'Some Processor', cores: 2 },
  versions: { client: '15.1', server: '15.2', aws: 'aws-cli/2.0', pgcopydb: null, node: 'v24' },
  outcomes: [{ id: 'copy-large', title: 'Copy of 1 GB', headline: 'A sentence.', results }],
})
const page = 'before\n<!-- results -->\nold\n<!-- /results -->\nafter\n'
const peer = result('pg_dump -Z0 | pg_restore', [10])

test('the page has machine, versions, sentences, targets with their ratios, and every row', () => {
  const written = writtenPage(page, run([peer, result('ours: copy, stream', [8])]), {})
  assert.ok(written.startsWith('before\n') && written.endsWith('\nafter\n') && !written.includes('old'))
  assert.match(written, /2 cores \(Some Processor\).*server 15\.2|PostgreSQL 15\.2, client 15\.1/)
  assert.match(written, /`aws-cli\/2\.0` for every row; pgcopydb is not installed and left out/)
  assert.match(written, /^- A sentence\.$/m)
  assert.match(written, /^\| copy by stream, 1 GB \| at least 1\.00 × as fast as .* \| 1\.25 × \| met \|$/m)
  assert.match(written, /^\| pg_dump -Z0 \\\| pg_restore \| 10\.00 s \|.*\| server 1\.3 \|$/m)
  assert.match(written, /^\| ours: copy, stream \| 8\.00 s \| {2}\| 0\.80 \| {2}\| 20 MB \| 30 MB \|/m)
  // What was not measured has no verdict.
  assert.doesNotMatch(written, /pgcopydb clone|dump to S3/)
})

test('a missed target says why where a note does, and memory counts only that of the action', () => {
  const results = [{ ...peer, ownPeak: 900e6 }, result('ours: copy, stream', [20], { ownPeak: 251e6 })]
  const plain = writtenPage(page, run(results), {})
  assert.match(plain, /^\| copy by stream, 1 GB \|.*\| 0\.50 × \| missed \|$/m)
  assert.match(plain, /^\| memory of our process.*\| 251 MB \(Copy of 1 GB\) \| missed \|$/m)
  const noted = writtenPage(page, run(results), { 'copy by stream, 1 GB': 'the cores are shared' })
  assert.match(noted, /\| 0\.50 × \| missed, because the cores are shared \|$/m)
})

test('a page without its marks is refused rather than left as it was', () => {
  assert.throws(
    () => writtenPage('no marks', run([peer, result('ours: copy, stream', [8])]), {}),
    /<!-- results -->/,
  )
})
