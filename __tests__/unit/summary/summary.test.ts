import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, manifestOf } from '../../../lab/sample-dumps.ts'
import { readInputs } from '../../../src/inputs/read-inputs.ts'
import type { Manifest } from '../../../src/storage/manifest.ts'
import { describeUntouched, type Pruned } from '../../../src/storage/prune-dumps.ts'
import { dumpSummary, restoreSummary, verifySummary } from '../../../src/summary/dump-summary.ts'
import { pruneSummary } from '../../../src/summary/storage-summary.ts'
import { failureSummary } from '../../../src/summary/summary.ts'

const place = { uri: 's3://bucket/dumps/shop/app/none/x.dump', onAws: true }
const day = (number: number, more: Partial<Manifest> = {}) => ({
  ...manifestOf(keyOf('shop/app/none', number), 1_000_000),
  durationMs: 2000,
  ...more,
})
const tables = (rows: Record<string, number>) =>
  Object.entries(rows).map(([name, count]) => ({ schema: 'public', name, rows: count, bytes: count * 100 }))

test('a dump is compared with the previous one, table by table; the rate is that of the transfer', () => {
  const before = day(1, { rows: 1500, rawBytes: 150_000, tables: tables({ orders: 1000, gone: 500 }) })
  const now = day(2, { rows: 1410, rawBytes: 200_000, tables: tables({ orders: 1400, items: 10 }) })
  const text = String(
    dumpSummary(now, { source: 'db:5432/app', place, previous: before, transferMs: 500, attempts: 1 }),
  )
  assert.match(text, /^### ✅ Dumped `app`$/m)
  assert.match(text, /\| −90 rows \(−6\.0 %\), \+50\.0 kB of data \(\+33\.3 %\), 2026-11-01 02:00 UTC \|/)
  assert.match(text, /\| `public\.orders` \| 1,400 \| \+400 \| 140 kB \| █{20} \|/)
  assert.match(text, /\| `public\.items` \| 10 \| new \| 1\.0 kB \| █ \|/)
  assert.match(text, /\| \*\*Read\*\* \| 200 kB in 500 ms \(400 kB\/s\) \|/)
  assert.match(text, /\| \*\*Duration\*\* \| 2\.0 s \|/)
  assert.ok(
    text.includes('(https://console.aws.amazon.com/s3/object/bucket?prefix=dumps/shop/app/none/x.dump)'),
  )
})

test('a dump without a previous one is not compared, and other stores have no page to link to', () => {
  const options = {
    source: 'db',
    place: { ...place, onAws: false },
    previous: null,
    transferMs: 1,
    attempts: 2,
  }
  const text = String(dumpSummary(day(2), options))
  assert.doesNotMatch(text, /Since the last dump|Change|console/)
  assert.ok(text.includes(`| **To** | \`${place.uri}\` |`))
})

test('a restore shows the rate of its transfer, and none when a template was copied', () => {
  const manifest = day(2)
  const restored = {
    ...{ key: manifest.key, size: 200_000, manifest, place, sha256: manifest.sha256, counted: manifest },
    ...{
      target: 'db/app',
      database: 'app',
      previous: null,
      serverVersion: '17.5',
      durationMs: 90_000,
      attempts: 1,
    },
  }
  const text = String(restoreSummary({ ...restored, transferMs: 500 }))
  assert.match(text, /\| \*\*Read\*\* \| 200 kB in 500 ms \(400 kB\/s\) \|/)
  assert.match(text, /\| \*\*Duration\*\* \| 1 min 30 s \|/)
  const copied = String(restoreSummary({ ...restored, transferMs: null }))
  assert.match(copied, /\| \*\*Read\*\* \| nothing: a template was copied \|/)
  assert.doesNotMatch(copied, /\/s\)/)
})

const evidence = {
  restored: { tables: tables({ orders: 2 }), rows: 2 },
  objects: 12,
  sequences: 3,
  restoreMs: 40_000,
  assertions: 2,
  serverVersion: '17.5',
  clientVersion: '17.6',
  at: '2026-11-03T04:05:06.000Z',
}

test('the evidence of a verification says what was compared with what', () => {
  const manifest = day(2, { run: { ...day(2).run, url: 'https://github.com/o/r/actions/runs/7' } })
  const text = String(
    verifySummary(manifest, evidence, { place, maxRestoreTime: 30_000, durationMs: 61_000, attempts: 1 }),
  )
  assert.match(text, /\| SHA-256 \| `(ab){32}` \| ✅ the same \|/)
  assert.match(text, /\| Rows \| 3 \| ✅ 2, the same in each table \|/)
  assert.match(text, /\| Assertions \| 2 \| ✅ all hold \|/)
  assert.match(text, /\| Sequences \| 3 \| ✅ none is behind its columns \|/)
  assert.match(text, /\| Restore time \| at most 30\.0 s \| ❌ 40\.0 s \|/)
  assert.match(text, /2026-11-02 02:00 UTC by \[this run\]\(https:\/\/github\.com\/o\/r\/actions\/runs\/7\)/)
  assert.match(text, /2026-11-03 04:05 UTC, in 1 min 1 s/)
  assert.match(text, /<details>[\s\S]*\| `public\.orders` \| 2 \| 200 bytes \|[\s\S]*<\/details>/)
})

test('what was not looked at is not said to be the same', () => {
  const text = String(
    verifySummary(
      day(2, { rows: null, tables: [] }),
      { ...evidence, restored: { tables: [], rows: null }, assertions: 0 },
      { place, maxRestoreTime: null, durationMs: 1, attempts: 1 },
    ),
  )
  assert.match(text, /\| Rows \| not counted \| — \|/)
  assert.match(text, /\| Assertions \| none given \(`verify-sql`\) \| — \|/)
})

test('a prune says why each dump stays or goes, and what that frees', () => {
  const pruned: Pruned = {
    fates: [
      { key: keyOf('shop/app/none', 3), size: 5_000_000, keep: true, reasons: ['last', 'daily'] },
      { key: keyOf('shop/app/none', 2), size: 4_000_000, keep: false, reasons: [] },
    ],
    ...{ uncommitted: 1, orphans: 0, foreign: 2, dryRun: true, versionsStay: false },
  }
  const text = String(pruneSummary(pruned, 's3://bucket/'))
  assert.match(text, /would delete 1 of 2 dumps/)
  assert.match(text, /`shop\/app\/none\/2026-11-03[^|]*\| 5\.0 MB \| kept \| `last`, `daily` \|/)
  assert.match(text, /\| 4\.0 MB \| would be deleted \| no rule keeps it \|/)
  assert.ok(text.endsWith(`That would free 4.0 MB. Left alone: ${describeUntouched(pruned)}.`))
  assert.match(
    String(pruneSummary({ ...pruned, dryRun: false, versionsStay: true }, '')),
    /no space is free until/,
  )
  const many: Pruned = { ...pruned, fates: Array.from({ length: 1002 }, () => pruned.fates[1]!) }
  assert.match(String(pruneSummary(many, '')), /… and 2 older ones, which are in the log/)
})

test('a failure says what was tried, and where to look', () => {
  const environment = { GITHUB_ACTION_REPOSITORY: 'o/pgclone-action', GITHUB_ACTION_REF: 'v1' }
  const inputs = readInputs({
    INPUT_COMMAND: 'restore',
    'INPUT_DATABASE-URL': 'postgres://me:s3cret@db.example.com/app',
    'INPUT_STORAGE-LOCATION': 's3://bucket/dumps/',
    'INPUT_DUMP-KEY': 'latest',
  })
  const text = String(failureSummary('It is <gone>; put it back', inputs, environment))
  assert.match(text, /^### ❌ restore failed\n\n> It is &lt;gone&gt;; put it back\n/)
  assert.match(
    text,
    /\| \*\*From\*\* \| `latest` in `s3:\/\/bucket\/dumps\/` \|\n\| \*\*To\*\* \| `db\.example\.com\/app` \|/,
  )
  assert.ok(text.includes('https://github.com/o/pgclone-action/blob/v1/docs/troubleshooting.md'))
  assert.doesNotMatch(text, /s3cret|me:/)
})

test('wrong inputs have a summary as well', () => {
  const text = String(failureSummary('Input jobs must be a number', null, {}))
  assert.match(text, /The inputs cannot be used\n\n> Input jobs must be a number\n\nMore is in the log/)
})
