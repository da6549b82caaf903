import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '../../lab/postgres/postgres.ts'
import { isAlive } from '../../lab/processes.ts'

test('starts a server with an awkward password, survives a crash and ends with the scope', async () => {
  let pid = 0
  {
    await using postgres = await startPostgres()
    assert.match(postgres.version, /^\d+\.\d+$/)
    await postgres.createDatabase('Weird "name"')
    assert.deepEqual(await postgres.databases(), ['Weird "name"', 'postgres'])
    assert.equal(await postgres.psql('Weird "name"', "select 1, null, 'é', true"), '1||é|t')
    assert.deepEqual(await postgres.query('postgres', "select 1::bigint as n, '{}'::jsonb as j"), [
      { n: 1, j: {} },
    ])
    assert.equal(decodeURIComponent(new URL(postgres.url('x')).password), postgres.password)

    await using session = await postgres.connect('postgres')
    await postgres.kill()
    await assert.rejects(session.query('select 1'))
    await postgres.restart()
    pid = Number(
      await postgres.psql('postgres', "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"),
    )
    assert.ok(isAlive(pid))
    assert.match(postgres.log(), /ready to accept connections/)
  }
  assert.ok(!isAlive(pid))
})

test('ends the server when the test process is killed', async () => {
  const script = `
    const { startPostgres } = await import(${JSON.stringify(new URL('../../lab/postgres/postgres.ts', import.meta.url).href)})
    const postgres = await startPostgres()
    console.log(await postgres.psql('postgres', "select split_part(pg_read_file('postmaster.pid'), E'\\\\n', 1)"))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  const pid = Number(String(output))
  assert.ok(isAlive(pid))
  child.kill('SIGKILL')
  for (let tries = 0; isAlive(pid) && tries < 100; tries++) await sleep(50)
  assert.ok(!isAlive(pid))
})
