/** Texts of databases and of manifests that somebody altered reach neither the summary nor the outputs as more than text. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { marked } from 'marked'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const HOSTILE = '15 | <img src=x onerror=y> [x](https://evil.example) `b` @octocat https://evil.example'

let bench: LifecycleBench
before(async () => {
  bench = await startLifecycleBench()
})
after(() => bench[Symbol.asyncDispose]())

/** Changes the manifest of a dump as somebody may who can write to the place. */
function alter(key: string, change: Record<string, unknown>): void {
  const path = join(bench.folder, `${key}.json`)
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }))
}

/** The elements and addresses that a renderer makes of a summary. */
function rendered(summary: string): { html: string; cells: string[] } {
  const html = marked.parse(summary, { async: false, gfm: true })
  return { html, cells: [...html.matchAll(/<td[^>]*>([\s\S]*?)<\/td>/g)].map(([, cell]) => cell!) }
}

test('#51 a table of any name, and versions in a manifest, stay text in every summary', async () => {
  await bench.make('shop', 'x')
  await bench.postgres.psql('shop', `create table "a|b\`c <img src=x> [x](https://evil.example)" (a int)`)
  await bench.postgres.psql('shop', `insert into "a|b\`c <img src=x> [x](https://evil.example)" values (1)`)
  const key = await bench.dump('shop')
  alter(key, { serverVersion: HOSTILE })
  for (const run of [
    succeeded(await bench.run('restore', 'copy_of_shop', { 'dump-key': key })),
    succeeded(await bench.run('verify', 'shop', { 'dump-key': key })),
    succeeded(await bench.run('list', '')),
  ]) {
    const { html, cells } = rendered(run.summary)
    assert.doesNotMatch(html, /<img|evil\.example"/)
    assert.ok(!run.summary.includes('[x]('))
    if (run.outputs.dumps === undefined) {
      assert.ok(
        cells.some((cell) => cell.includes('&lt;img src=x&gt;')),
        html,
      )
      assert.ok(
        cells.some((cell) => cell.includes('PostgreSQL 15 | &lt;img')),
        html,
      )
    }
  }
})

test('#51 a manifest with a field of the wrong type is refused, and says which', async () => {
  await bench.make('typed', 'x')
  const key = await bench.dump('typed')
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ rows: '<b>1</b>' }, /has no valid rows; it was altered, or another program wrote it/],
    [{ serverVersion: '15\n## heading' }, /has no valid serverVersion/],
    [{ run: null }, /has no valid run/],
  ]
  const good = readFileSync(join(bench.folder, `${key}.json`))
  for (const [change, says] of cases) {
    alter(key, change)
    failed(await bench.run('restore', 'typed_copy', { 'dump-key': key }), says)
    writeFileSync(join(bench.folder, `${key}.json`), good)
  }
  succeeded(await bench.run('restore', 'typed_copy', { 'dump-key': key }))
})
