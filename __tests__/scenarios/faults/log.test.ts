import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { OWN_COMMANDS } from '../../../lab/benches/witness.ts'
import type { ActionRun } from '../../../lab/runner/action.ts'

let bench: Bench

before(async () => {
  bench = await startBench()
})
after(() => bench?.[Symbol.asyncDispose]())

const CANARY = 'obeyed-4b1d'

/** One of each kind that the runner knows, where each could begin: a line, the middle of one, behind what looks like nothing. */
const EVIL = [
  `::error::${CANARY}`,
  `  ::warning::${CANARY}`,
  `\u00a0::notice file=a,line=1::${CANARY}`,
  `::add-mask::${CANARY}`,
  `::group::${CANARY}`,
  `::debug::${CANARY}`,
  `::save-state name=pending::[{"kind":"database","name":"${CANARY}"}]`,
  `::set-output name=dump-key::${CANARY}`,
  `::set-env name=PATH::${CANARY}`,
  `::add-path::${CANARY}`,
  `::stop-commands::${CANARY}`,
  `text ##[error]${CANARY}`,
  `##[group]${CANARY}`,
  `\u001b[0m::error::${CANARY}`,
]

/** The complete log, hidden lines and all, by the grammar of the runner. */
function assertObeysOnlyUs(run: ActionRun): void {
  assert.deepEqual(
    run.commands.filter(({ name }) => !OWN_COMMANDS.includes(name)),
    [],
  )
  for (const { line, data, properties } of run.commands) {
    assert.ok(line.startsWith('::'), `not of ours: ${line}`)
    // A text of ours may quote a hostile one behind words of its own; a command made by it would begin with it.
    assert.ok(!data.trim().startsWith(CANARY), `obeyed: ${line}`)
    assert.ok(!JSON.stringify(properties).includes(CANARY), `obeyed: ${line}`)
  }
}

const literal = (text: string) =>
  `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\n', '\\n')}'`
const quoted = (text: string) => `"${text.slice(0, 40).replaceAll('"', '""')}"`

test('#40 the complete log of hostile rows, names, messages and files holds no command that we did not mean', async (t) => {
  const { postgres, folder } = bench
  const all = EVIL.join('\n')
  await postgres.createDatabase('hostile')
  await postgres.psql(
    'hostile',
    [
      `create function says() returns trigger language plpgsql as $f$ begin raise warning '%', ${literal(all)}; raise exception '%', ${literal(all)} using detail = ${literal(all)}, hint = ${literal(all)}; end $f$`,
      ...EVIL.map(
        (text, n) =>
          `create table ${quoted(`${n}\n${text}`)} (${quoted(text)} text); insert into ${quoted(`${n}\n${text}`)} values (${literal(all)})`,
      ),
      `create table last (note text unique); insert into last values (${literal(all)})`,
      `comment on table last is ${literal(all)}`,
    ].join(';\n'),
  )
  await postgres.psql(
    'hostile',
    `create function bad(text) returns text immutable language plpgsql as
    $f$ begin if current_database() <> 'hostile' then raise exception '%', $1 using detail = $1, hint = $1, column = $1; end if; return $1; end $f$`,
  )
  const good = await bench.dump('folder', 'hostile')
  await postgres.psql('hostile', 'create index on last (bad(note))')
  const broken = await bench.dump('folder', 'hostile')
  const name = join(folder, 'shop/app/none', `::error::${CANARY}\n##[error]x.dump`)
  mkdirSync(dirname(name), { recursive: true })
  writeFileSync(name, all)
  const url = postgres.url('hostile')
  const steps: [Inputs, number][] = [
    [{ command: 'dump', 'database-url': url, instance: EVIL[0]!, config: EVIL[3]! }, 0],
    [{ command: 'dump', 'database-url': url, tables: EVIL[6]! }, 1],
    [
      {
        command: 'dump',
        'database-url': url,
        'pre-dump-hooks': `printf '%s' '${all.split('\n').join("'; echo; printf '%s' '")}'`,
      },
      0,
    ],
    [{ command: 'list' }, 0],
    [{ command: 'prune', 'keep-last': '1', 'dry-run': 'true' }, 0],
    [{ command: 'restore', 'dump-key': good, 'database-url': postgres.url('good') }, 0],
    [{ command: 'restore', 'dump-key': broken, 'database-url': postgres.url('bad'), jobs: '1' }, 1],
    [{ command: 'restore', 'dump-key': broken, 'database-url': postgres.url('bad'), jobs: '2' }, 1],
    [{ command: 'restore', 'dump-key': broken, 'database-url': postgres.url('good'), swap: 'false' }, 1],
    [{ command: 'verify', 'dump-key': good, 'database-url': url, 'verify-sql': `select '${EVIL[0]}'` }, 1],
    [
      {
        command: 'copy',
        'source-database-url': url,
        'database-url': postgres.url(`::error::${CANARY}\n`),
        'copy-method': 'stream',
      },
      1,
    ],
    [{ command: 'drop', 'database-url': postgres.url(`##[error]${CANARY}`) }, 0],
    [{ command: 'list', 'dump-key': EVIL[0]! }, 1],
  ]
  for (const [step, exitCode] of steps) {
    const env = { RUNNER_DEBUG: '1', GITHUB_REF: EVIL[0], GITHUB_REPOSITORY: `o/${EVIL[11]}` }
    const run = await bench.run('list', 'folder', '', step, { env })
    assert.equal(run.exitCode, exitCode, `${JSON.stringify(step).slice(0, 200)}\n${run.log.slice(-3000)}`)
    assertObeysOnlyUs(run)
  }
  t.diagnostic(`bad inputs: ${steps.length * EVIL.length}`)
})
