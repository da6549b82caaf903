import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { childOf, killChild } from '../../../lab/runner/children.ts'
import type { FaultRule } from '../../../lab/s3/s3.ts'
import { until } from '../../../lab/until.ts'

let bench: Bench
/** The same dump in both places. */
let key: string
let bytes: Buffer
let manifest: Record<string, unknown>

before(async () => {
  bench = await startBench()
  const { postgres } = bench
  await makeData(postgres, 'app', 10)
  await postgres.createDatabase('live')
  await postgres.psql('live', `create table bulk as select 'old' as state; create table only_here (id int)`)
  key = await bench.dump('folder', 'app', { compression: 'none' })
  bytes = readFileSync(join(bench.folder, key))
  manifest = JSON.parse(readFileSync(join(bench.folder, `${key}.json`), 'utf8'))
  for (const name of [key, `${key}.json`])
    await bench.s3.write(`nightly/${name}`, readFileSync(join(bench.folder, name)))
})
beforeEach(() => bench.s3.heal())
after(() => bench?.[Symbol.asyncDispose]())

/** Puts the dump and its manifest into the folder; null takes one away. */
function put(dump: Uint8Array | null, record: object | string | null) {
  const text = record === null || typeof record === 'string' ? record : JSON.stringify(record)
  for (const [name, content] of [[key, dump] as const, [`${key}.json`, text] as const]) {
    const path = join(bench.folder, name)
    if (content === null) rmSync(path, { force: true })
    else writeFileSync(path, content)
  }
}

function flipped(at: number): Buffer {
  const altered = Buffer.from(bytes)
  altered[at]! ^= 0x01
  return altered
}

/** With a byte that is in no text in UTF-8, so that pg_restore stops there. */
function refused(share: number): Buffer {
  const altered = Buffer.from(bytes)
  altered[Math.floor(bytes.length * share)] = 0xff
  return altered
}

/** The number of a scenario stands before the whole. */
const numbered = (subject: string, what: string) =>
  what.startsWith('#') ? `${what.slice(0, 3)} ${subject} ${what.slice(4)}` : `${subject} ${what}`

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')
/** Somewhere in the rows. */
const middle = () => Math.floor(bytes.length / 2)
const cutAt = (size: number) => bytes.subarray(0, size)

const stored: [string, () => [Uint8Array | null, object | string | null], RegExp][] = [
  ['#24 cut', () => [cutAt(middle()), manifest], /its manifest says [\d,]+; it was cut or replaced/],
  ['empty', () => [Buffer.alloc(0), manifest], /is empty; it is not a dump/],
  [
    '#22 altered by one bit',
    () => [flipped(middle()), manifest],
    /is not what was dumped \(SHA-256|is damaged/,
  ],
  [
    '#22 altered into text that no table takes',
    () => [refused(0.25), manifest],
    /is not what was dumped \(SHA-256/,
  ],
  ['gone', () => [null, manifest], /There is no dump|data is gone/],
  [
    '#23 half of a script of SQL',
    () => [Buffer.from('CREATE TABLE public.bulk (id int);\nCOPY public.bulk FROM stdin;\n1\n2\n'), null],
    /is damaged: .*does not begin with "PGDMP"/,
  ],
  [
    '#24 cut, with a manifest that says so',
    () => {
      const dump = cutAt(middle())
      return [dump, { ...manifest, size: dump.length, sha256: sha256(dump) }]
    },
    /is damaged: the archive ends/,
  ],
  [
    'of other rows than its manifest says',
    () => [bytes, { ...manifest, tables: [{ schema: 'public', name: 'bulk', rows: 7, bytes: 7 }] }],
    /differs from its manifest: public\.bulk has 10,700 rows instead of 7/,
  ],
]

for (const [index, [what, content, says]] of stored.entries()) {
  test(numbered('the stored dump is', what), async () => {
    const harm = await witness(bench, 'live')
    put(...content())
    // One job and two take turns.
    const jobs = String(1 + (index % 2))
    const run = await bench.run('restore', 'folder', 'live', { 'dump-key': key, jobs })
    // Whole again, so that only what the run left is found: the damaged dump is ours.
    put(bytes, manifest)
    await harm.assertHarmless(run, says)
  })
}

const always = Number.POSITIVE_INFINITY
/** The later one of the two parts that the AWS CLI asks for at once; which of them, chance decides. */
const part = { operation: 'GetObject', key: /\.dump$/, nth: 2 }

/** One that ends early (#18) is among the tests of retries. */
const transfers: [string, FaultRule, RegExp][] = [
  [
    '#20 is cut again and again',
    { ...part, times: always, action: { type: 'close', after: 1000 } },
    /connection to the store was cut|aws s3 cp/,
  ],
  [
    '#21 goes silent',
    { ...part, times: always, action: { type: 'stall', after: 1000 } },
    /No byte moved for 3 s/,
  ],
]

for (const [what, rule, says] of transfers) {
  test(numbered('the download', what), async () => {
    const harm = await witness(bench, 'live')
    bench.s3.fault(rule)
    const more = {
      ...{ 'dump-key': key, ...(rule.action.type === 'stall' && { 'idle-timeout': '3s' }) },
      's3-config': `${bench.s3.config}\nAWS_MAX_ATTEMPTS=2`,
    }
    await harm.assertHarmless(await bench.run('restore', 's3', 'live', more), says)
  })
}

test('#20 the downloader is killed', async () => {
  const harm = await witness(bench, 'live')
  bench.s3.fault({ ...part, times: always, action: { type: 'stall', after: 1000 } })
  const action = bench.start('restore', 's3', 'live', { 'dump-key': key })
  await childOf(action, /s3 cp s3:.*\.dump - /)
  await until(
    () => bench.s3.requests.filter(({ operation }) => operation === 'GetObject').length > 1,
    'a request',
  )
  await killChild(action, /s3 cp s3:.*\.dump - /)
  await harm.assertHarmless(await action.done, /aws s3 cp \(download\) failed \(SIGKILL\)/)
})

test('#19 the store replaces the dump while it is read', async () => {
  const harm = await witness(bench, 'live')
  // Every part is another one, so that one at least is not what it was.
  const other = Buffer.from(bytes)
  for (let at = 1_000_000; at < other.length; at += 1_000_000) other[at]! ^= 0x01
  const replace: FaultRule = {
    ...{ operation: 'GetObject', key: /\.dump$/ },
    action: { type: 'call', run: ({ key }) => bench.s3.write(key, other) },
  }
  bench.s3.fault(replace)
  const run = await bench.run('restore', 's3', 'live', { 'dump-key': key })
  await bench.s3.write(`nightly/${key}`, bytes)
  await harm.assertHarmless(run, /not what was dumped|is damaged|aws s3 cp/)
})

test('#19 the store ignores the range: the AWS CLI may put the parts together all the same, or we say no', async () => {
  const { postgres } = bench
  const harm = await witness(bench, 'live')
  bench.s3.fault({ ...part, action: { type: 'ignore-range' } })
  const run = await bench.run('restore', 's3', 'ranged', { 'dump-key': key })
  if (run.exitCode === 0) {
    assert.deepEqual(await readTables(postgres, 'ranged'), await readTables(postgres, 'app'))
    await postgres.psql('postgres', 'drop database ranged')
    await harm.assertClean(run)
  } else {
    await harm.assertHarmless(run, /arrived|not what was dumped|is damaged/)
  }
})
