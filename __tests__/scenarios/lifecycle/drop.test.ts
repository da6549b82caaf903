import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  allGone,
  catalogue,
  holdDatabases,
  type Inputs,
  longAgo,
  makePoints,
  mark,
  marker,
  temporaries,
  useDumpedSource,
  waitsFor,
} from '../../../lab/benches/lifecycle-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

const { bench, key } = await useDumpedSource()

const restore = (database: string, more: Inputs = {}) =>
  bench.run('restore', database, { 'dump-key': key, ...more })

const drop = (database: string, more: Inputs = {}) => bench.run('drop', database, more)

const exists = async (name: string) => (await bench.postgres.databases()).includes(name)

test('a database of ours is dropped, with its sessions; twice is fine', async () => {
  const { postgres, folder } = bench
  succeeded(await restore('preview_1'))
  await using session = await postgres.connect('preview_1')
  const run = succeeded(await drop('preview_1'))
  assert.match(run.log, /Dropped "preview_1", with 1 session in it/)
  assert.match(run.summary, /Dropped `preview_1`/)
  assert.equal(await exists('preview_1'), false)
  await assert.rejects(session.query('select 1'))
  await assertNothingLeft({ run, postgres, folder })
  const again = succeeded(await drop('preview_1'))
  assert.match(again.log, /no database "preview_1" .*nothing to drop/)
  assert.match(again.summary, /Nothing to drop/)
  assert.equal(await exists('source'), true)
})

test('restore points go too, also without their database', async () => {
  for (const name of ['preview_2', 'preview_20']) await makePoints(bench, name)
  await bench.postgres.psql('postgres', 'drop database preview_2')
  await using session = await bench.postgres.connect('preview_2__pre')
  succeeded(await drop('preview_2'))
  await assert.rejects(session.query('select 1'))
  const names = (await bench.postgres.databases()).filter((name) => name.startsWith('preview_2'))
  assert.deepEqual(names, ['preview_20', 'preview_20__post', 'preview_20__pre'])
  succeeded(await drop('preview_20'))
  assert.equal(await exists('preview_20__pre'), false)
})

test('what only looks like a restore point stays', async () => {
  await bench.make('preview_3', 'ours')
  await mark(bench, 'preview_3', {})
  await bench.make('preview_3__pre', 'theirs')
  await bench.make('preview_3__post', 'theirs')
  await mark(bench, 'preview_3__post', { kind: 'clone', of: 'preview_3__post' })
  succeeded(await drop('preview_3'))
  assert.equal(await exists('preview_3'), false)
  assert.equal(await bench.state('preview_3__pre'), 'theirs')
  assert.equal(await bench.state('preview_3__post'), 'theirs')
})

test('a database that is not ours needs force', async () => {
  const { postgres } = bench
  await bench.make('theirs', 'theirs')
  const says = /"theirs" was not made by this action; set force: true/
  failed(await drop('theirs'), says)
  for (const text of ['mine', 'pgclone-action {"kind":"clone","of":"theirs","at":5,"run":""}']) {
    await postgres.psql('postgres', `comment on database theirs is '${text}'`)
    failed(await drop('theirs'), says)
  }
  assert.equal(await bench.state('theirs'), 'theirs')
  succeeded(await drop('theirs', { force: 'true' }))
  assert.equal(await exists('theirs'), false)
})

test('neither force nor a marker opens what is protected, or the servers own databases', async () => {
  const { postgres } = bench
  await postgres.createDatabase('house_template', 'is_template true')
  await bench.make('preview_4', 'protected')
  await mark(bench, 'preview_4', {})
  for (const name of ['postgres', 'template1', 'house_template']) await mark(bench, name, { of: name })
  const before = await postgres.databases()
  const cases: [string, RegExp, Inputs][] = [
    ['postgres', /"postgres" belongs to the server itself/, {}],
    ['template1', /"template1" belongs to the server itself/, {}],
    ['template0', /"template0" belongs to the server itself/, {}],
    ['house_template', /is a template database of the server/, {}],
    ['preview_4', /protected by the pattern \*\/preview_4/, { 'protected-databases': 'x/y\n*/preview_4' }],
    ['not_there', /protected by the pattern 127\.0\.0\.1\/\*/, { 'protected-databases': '127.0.0.1/*' }],
  ]
  for (const [name, says, more] of cases) failed(await drop(name, { force: 'true', ...more }), says)
  assert.deepEqual(await postgres.databases(), before)
  await makePoints(bench, 'preview_5')
  const point = { 'protected-databases': '*/preview_5__pre' }
  failed(await drop('preview_5', point), /preview_5__pre" is protected/)
  assert.equal(await exists('preview_5'), true)
})

test('the template of instant previews is dropped by template-cache, or by force', async () => {
  succeeded(await restore('preview_6', { 'template-cache': '1' }))
  const template = (await bench.postgres.databases()).find((name) => name.startsWith('pgclone_template_'))!
  failed(await drop(template), /template-cache decides when it goes; set force: true/)
  succeeded(await drop('preview_6'))
  assert.equal(await exists(template), true)
  succeeded(await drop(template, { force: 'true' }))
  assert.equal(await exists(template), false)
})

test('dry-run names what would go, and changes nothing', async () => {
  await makePoints(bench, 'preview_7')
  await bench.make('app__pgclone_0a1b2c3d', 'orphan')
  await mark(bench, 'app__pgclone_0a1b2c3d', { kind: 'staging', of: 'app', at: longAgo })
  const before = await catalogue(bench)
  const run = succeeded(await drop('preview_7', { 'dry-run': 'true' }))
  for (const name of ['preview_7', 'preview_7__pre', 'preview_7__post'])
    assert.match(run.log, new RegExp(`Would drop "${name}"`))
  assert.match(run.summary, /Would drop/)
  failed(await drop('source', { 'dry-run': 'true' }), /not made by this action/)
  assert.deepEqual(await catalogue(bench), before)
  succeeded(await drop('preview_7'))
  assert.equal(await exists('app__pgclone_0a1b2c3d'), false)
})

/** A restore that waits in its hook until it is told to go on. */
function waiting(database: string) {
  const go = join(tempFolder('go').path, 'go')
  const hook = `echo waiting; until [ -e ${go} ]; do sleep 0.05; done`
  const action = bench.start('restore', database, { 'dump-key': key, 'pre-swap-hooks': hook })
  const release = () => writeFileSync(go, '')
  return { action, release }
}

test('a drop during a restore is refused', async () => {
  const { action, release } = waiting('preview_8')
  await action.waitForLog(/hook \| waiting/)
  failed(await drop('preview_8'), /Another run of this action is working on "preview_8"/)
  failed(await drop('preview_8', { force: 'true', 'dry-run': 'true' }), /Another run/)
  release()
  succeeded(await action.done)
  assert.equal(await bench.state('preview_8'), 'dumped')
})

test('orphans of killed runs are swept by name, marker and age; those of living runs are not', async () => {
  const { postgres } = bench
  const dead = waiting('preview_9')
  await dead.action.waitForLog(/hook \| waiting/)
  dead.action.kill()
  await dead.action.done
  dead.release()
  await allGone(bench)
  const [orphan] = await temporaries(bench)
  assert.deepEqual(
    [(await marker(bench, orphan!))?.kind, (await marker(bench, orphan!))?.of],
    ['staging', 'preview_9'],
  )
  succeeded(await drop('preview_9'))
  assert.deepEqual(await temporaries(bench), [orphan], 'it is young')

  const alive = waiting('preview_10')
  await alive.action.waitForLog(/hook \| waiting/)
  const [living] = (await temporaries(bench)).filter((name) => name !== orphan)
  // However long it takes: its run holds a lock.
  await mark(bench, living!, { at: longAgo })
  await mark(bench, orphan!, { at: longAgo })
  // None of these is a leftover: not by its name, not by its marker, not by its age.
  await bench.make('not_by_name', 'live')
  await mark(bench, 'not_by_name', { kind: 'staging', at: longAgo })
  await bench.make('user__pgclone_11111111', 'live')
  await postgres.psql('postgres', `comment on database user__pgclone_11111111 is 'kept by hand'`)
  await bench.make('clone__pgclone_22222222', 'live')
  await mark(bench, 'clone__pgclone_22222222', { kind: 'clone', at: longAgo })
  await bench.make('bad__pgclone_33333333', 'live')
  await mark(bench, 'bad__pgclone_33333333', { kind: 'staging', at: 'no time' })
  await bench.make('old__pgclone_44444444', 'replaced')
  await mark(bench, 'old__pgclone_44444444', { kind: 'old', at: longAgo })

  const run = succeeded(await drop('nothing'))
  assert.match(run.log, /Dropped "preview_9__pgclone_.*which a killed run left behind on 2026-01-01/)
  assert.deepEqual(await temporaries(bench), [
    'bad__pgclone_33333333',
    'clone__pgclone_22222222',
    living,
    'user__pgclone_11111111',
  ])
  assert.equal(await bench.state('not_by_name'), 'live')
  alive.release()
  succeeded(await alive.action.done)
  assert.equal(await bench.state('preview_10'), 'dumped')
  assert.equal((await marker(bench, 'preview_10'))?.kind, 'clone')
})

test('a drop that was killed can be run again', async () => {
  await makePoints(bench, 'preview_11')
  await using session = await holdDatabases(bench)
  const action = bench.start('drop', 'preview_11')
  await waitsFor(bench, 'DROP DATABASE')
  action.kill()
  await action.done
  await session.end()
  await allGone(bench)
  assert.equal(await exists('preview_11'), true)
  succeeded(await drop('preview_11'))
  const rest = (await bench.postgres.databases()).filter((name) => name.startsWith('preview_11'))
  assert.deepEqual(rest, [])
})
