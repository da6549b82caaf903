import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: Bench
let workspace: string

const seen = (name: string) => readFileSync(join(workspace, name), 'utf8').trim().split('\n')

before(async () => {
  bench = await startBench()
  workspace = tempFolder('workspace').path
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', `create table steps (step text); insert into steps values ('source')`)
  writeFileSync(join(workspace, 'mask-me.sql'), `insert into steps values ('sql ' || current_database());\n`)
  writeFileSync(join(workspace, 'broken.sql'), `insert into steps values ('never'); select 1 / 0;\n`)
})
after(() => bench?.[Symbol.asyncDispose]())

const steps = (database: string) => bench.postgres.psql(database, 'select step from steps order by ctid')

/** Says in a file what a hook sees of its surroundings. */
const look = (file: string) =>
  `{ echo "$PGDATABASE|$PGHOST|$PGPORT|$PGUSER|$PGPASSWORD"; echo "$DATABASE_URL"; pwd; echo "$GITHUB_REPOSITORY|$MY_OWN"; env | grep -c ^INPUT_; } > ${file} || true`

test('pre-dump-hooks run in order on the source, and what they write is dumped', async () => {
  const run = succeeded(
    await bench.run(
      'dump',
      'folder',
      'app',
      {
        'pre-dump-hooks': `psql -Xqc "insert into steps values ('first')"\nmask-me.sql\n${look('dump.txt')}\npsql -Xq "$DATABASE_URL" -c "insert into steps values ('by url')"`,
      },
      { cwd: workspace, env: { MY_OWN: 'mine', PGHOST: 'elsewhere.invalid', PGOPTIONS: '-c nonsense' } },
    ),
  )
  assert.equal(run.outputs['row-count'], '4')
  assert.equal(await steps('app'), 'source\nfirst\nsql app\nby url')
  const { host, port, user, password } = bench.postgres
  const [variables, url, folder, own, inputs] = seen('dump.txt')
  assert.deepEqual([variables, folder], [`app|${host}|${port}|${user}|${password}`, workspace])
  assert.equal(new URL(url!).pathname, '/app')
  assert.equal(decodeURIComponent(new URL(url!).password), password)
  assert.deepEqual([own, inputs], ['acme/shop|mine', '0'])
})

test('pre-swap-hooks run in order on the staging database, before it is live', async () => {
  await bench.postgres.createDatabase('live')
  await bench.postgres.psql('live', `create table steps (step text); insert into steps values ('old')`)
  const run = succeeded(
    await bench.run(
      'restore',
      'folder',
      'live',
      {
        'dump-key': 'latest',
        'pre-swap-hooks': `mask-me.sql\n${look('swap.txt')}\npsql -Xqc "insert into steps values ('live has ' || '$(PGDATABASE=live psql -XAtc 'select step from steps')')"`,
      },
      { cwd: workspace },
    ),
  )
  const staging = seen('swap.txt')[0]!.split('|')[0]!
  assert.match(staging, /^live__pgclone_[0-9a-f]{8}$/)
  assert.equal(new URL(seen('swap.txt')[1]!).pathname, `/${staging}`)
  assert.equal(await steps('live'), `source\nfirst\nsql app\nby url\nsql ${staging}\nlive has old`)
  await assertNothingLeft({
    ...{ run, folder: bench.folder, postgres: bench.postgres },
    databases: ['app', 'live', 'postgres'],
  })
})

/** Both commands run their hooks by the same means. */
const failures: ['dump' | 'restore', string, string, RegExp][] = [
  [
    ...(['restore', 'a shell command'] as const),
    ...(['echo "no luck" >&2; exit 7\ntouch never', /exit 7.* failed: .*exit code 7.*no luck/] as const),
  ],
  ['dump', 'the left side of a pipe', 'false | true\ntouch never', /exit code 1/],
  ['dump', 'a missing file', 'missing.sql\ntouch never', /missing\.sql.*No such file/],
  ['restore', 'a statement', 'broken.sql\ntouch never', /broken\.sql.* failed: .*division by zero/],
]

for (const [command, what, hooks, says] of failures) {
  test(`a failing hook stops a ${command}: ${what}`, async () => {
    const { postgres, folder } = bench
    const before = await steps('live')
    const inputs = {
      dump: { config: 'failing', 'pre-dump-hooks': hooks },
      restore: { 'dump-key': 'latest', 'pre-swap-hooks': hooks },
    }
    const run = await bench.run(command, 'folder', 'live', inputs[command], { cwd: workspace })
    failed(run, says)
    assert.equal(await steps('live'), before)
    assert.equal(existsSync(join(workspace, 'never')), false)
    assert.equal(existsSync(join(folder, 'shop/live/failing')), false)
    await assertNothingLeft({ run, postgres, folder, databases: ['app', 'live', 'postgres'] })
  })
}

test('#40 what a hook prints is neither obeyed nor unmasked', async () => {
  const hook = `printf '%s\\n' '::error::obeyed' '  ::set-output name=a::b' 'x ##[error]obeyed' "$PGPASSWORD" "$DATABASE_URL"; printf 'a\\r::warning::obeyed\\n'`
  const run = succeeded(
    await bench.run('dump', 'folder', 'app', { 'pre-dump-hooks': `${hook}\n${hook} >&2` }),
  )
  const names = new Set(run.commands.map(({ name }) => name))
  assert.deepEqual(
    [...names].sort(),
    ['add-mask', 'debug', 'endgroup', 'group'].filter((name) => names.has(name)),
  )
  await assertNothingLeft({ run, folder: bench.folder, postgres: bench.postgres })
})
