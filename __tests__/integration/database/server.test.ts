import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../lab/benches/session-bench.ts'
import type { Session } from '../../../src/database/connection/session.ts'
import {
  databaseSize,
  dropDatabase,
  lockTarget,
  lookAtServer,
  openMaintenance,
  type Server,
  tryLock,
} from '../../../src/database/server.ts'

const bench = await startSessionBench()
const { postgres } = bench

describe('a server', { skip: noClient }, () => {
  let session: Session
  let server: Server
  before(async () => {
    session = await bench.open('postgres')
    server = await lookAtServer(session)
    for (const rights of ['nobody', 'creator createdb']) {
      await postgres.psql('postgres', `create role ${rights} login password 'pw'`)
    }
  })

  test('tells its version and our rights', async () => {
    const { version } = postgres
    const common = { version, major: Number.parseInt(version, 10), standby: false }
    const roles = [
      [{}, { role: 'postgres', superuser: true, createdb: true }],
      [
        { user: 'creator', password: 'pw' },
        { role: 'creator', superuser: false, createdb: true },
      ],
      [
        { user: 'nobody', password: 'pw' },
        { role: 'nobody', superuser: false, createdb: false },
      ],
    ] as const
    for (const [address, rights] of roles) {
      assert.deepEqual(await lookAtServer(await bench.open('postgres', address)), { ...common, ...rights })
    }
    assert.ok((await databaseSize(session)) > 1e6)
  })

  test('is managed from the maintenance database, else from template1', async () => {
    await postgres.createDatabase('closed', 'allow_connections false')
    const cases: [string, string, string | RegExp][] = [
      ['shop', 'postgres', 'postgres'],
      ['shop', 'no such', 'template1'],
      ['shop', 'closed', 'template1'],
      ['postgres', 'postgres', 'template1'],
      ['template1', 'no such', /there is no database "no such"/],
    ]
    for (const [target, maintenance, expected] of cases) {
      const opening = openMaintenance(bench.connection(target), maintenance, {
        psql: program('psql'),
        environment,
      })
      if (expected instanceof RegExp) {
        await assert.rejects(opening, expected)
      } else {
        await using open = await opening
        assert.deepEqual(await open.query('SELECT current_database() AS name'), [{ name: expected }])
      }
    }
    const wrong = bench.connection('shop', { password: 'wrong' })
    await assert.rejects(
      openMaintenance(wrong, 'postgres', { psql: program('psql'), environment }),
      /wrong password/,
    )
  })

  test('lets one run at a time have a target', async () => {
    const other = await bench.open('postgres')
    await lockTarget(session, `it's`)
    await assert.rejects(lockTarget(other, `it's`), /Another run of this action is .*"it's"/)
    await lockTarget(other, 'its')
    // A lock belongs to a database, and not every run is in the same one.
    const elsewhere = await bench.open('template1')
    await assert.rejects(lockTarget(elsewhere, `it's`), /Another run of this action is .*"it's"/)
    const third = await bench.open('postgres')
    await other.close()
    await elsewhere.close()
    for (let tries = 0; tries < 50; tries += 1) {
      const gone = await lockTarget(third, 'its').then(
        () => true,
        () => false,
      )
      if (gone) return
    }
    assert.fail('the lock outlived its session')
  })

  test('when two want a target at the same moment, from two databases, one at most gets it', async () => {
    const sessions = [await bench.open('postgres'), await bench.open('template1')]
    for (let round = 0; round < 20; round += 1) {
      const outcomes = await Promise.all(sessions.map((one) => tryLock(one, `round ${round}`)))
      assert.ok(outcomes.filter(Boolean).length <= 1)
    }
    for (const one of sessions) await one.close()
  })

  test('drops a database with everybody in it, and does not mind when it is gone', async () => {
    for (const major of [server.major, 12]) {
      const name = `it's "in use" ${major}`
      await postgres.createDatabase(name)
      const user = await postgres.connect(name)
      await dropDatabase(session, { ...server, major }, name)
      assert.ok(!(await postgres.databases()).includes(name))
      await assert.rejects(user.query('select 1'))
      await dropDatabase(session, { ...server, major }, name)
    }
  })

  test('says why a database cannot be dropped', async () => {
    const creator = await bench.open('postgres', { user: 'creator', password: 'pw' })
    await assert.rejects(dropDatabase(creator, server, 'closed'), /must be owner of database closed/)
    await assert.rejects(dropDatabase(session, server, 'postgres'), /currently open/)
    await assert.rejects(dropDatabase(session, server, 'template1'), /template database/)
  })
})
