import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fakeMachine, type Machine } from '../../../../lab/tools/fake-machine.ts'
import { findPostgresClients } from '../../../../src/tools/postgres/provide-client.ts'

const versions = async ({ options }: Machine) =>
  (await findPostgresClients(options.environment)).map(({ version }) => version)

test('finds the clients of Debian, the yum repository, Alpine and PATH', async () => {
  await using machine = fakeMachine()
  machine.client('usr/lib/postgresql/15/bin', '15.18')
  machine.client('usr/pgsql-16/bin', '16.14')
  machine.client('usr/libexec/postgresql17', '17.10')
  const onPath = machine.client('bin', '14.23')
  const clients = await findPostgresClients(machine.options.environment)
  assert.deepEqual(
    clients.map(({ major, version }) => [major, version]),
    [
      [15, '15.18'],
      [16, '16.14'],
      [17, '17.10'],
      [14, '14.23'],
    ],
  )
  assert.deepEqual(clients.at(-1), {
    directory: onPath,
    major: 14,
    version: '14.23',
    pgDump: join(onPath, 'pg_dump'),
    pgRestore: join(onPath, 'pg_restore'),
    psql: join(onPath, 'psql'),
  })
})

test("#03 never takes Debian's pg_wrapper", async () => {
  await using machine = fakeMachine()
  machine.client('usr/share/postgresql-common', '16.14')
  renameSync(
    join(machine.root, 'usr/share/postgresql-common/pg_dump'),
    join(machine.root, 'usr/share/postgresql-common/pg_wrapper'),
  )
  for (const name of ['pg_dump', 'pg_restore', 'psql']) {
    symlinkSync('../usr/share/postgresql-common/pg_wrapper', join(machine.root, 'bin', name))
  }
  assert.deepEqual(await versions(machine), [])
})

test('counts a client once, however many links lead to it', async () => {
  await using machine = fakeMachine('alpine')
  machine.client('usr/libexec/postgresql17', '17.10')
  for (const name of ['pg_dump', 'pg_restore', 'psql']) {
    symlinkSync(`../usr/libexec/postgresql17/${name}`, join(machine.root, 'bin', name))
  }
  assert.deepEqual(await versions(machine), ['17.10'])
})

test('leaves out what is incomplete, broken, mixed, or something else', async () => {
  await using machine = fakeMachine()
  machine.client('usr/lib/postgresql/13/bin', '13.22')
  rmSync(join(machine.root, 'usr/lib/postgresql/13/bin/psql'))
  machine.client('usr/lib/postgresql/14/bin', '14.23')
  machine.program(
    'usr/lib/postgresql/14/bin/pg_restore',
    'echo "error while loading shared libraries" >&2',
    'exit 127',
  )
  machine.client('usr/lib/postgresql/15/bin', '15.18')
  machine.program('usr/lib/postgresql/15/bin/psql', 'echo "psql (PostgreSQL) 17.10"')
  machine.client('usr/lib/postgresql/16/bin', '16.14')
  rmSync(join(machine.root, 'usr/lib/postgresql/16/bin/pg_restore'))
  mkdirSync(join(machine.root, 'usr/lib/postgresql/16/bin/pg_restore'))
  machine.client('usr/lib/postgresql/17/bin', 'seventeen')
  machine.client('usr/lib/postgresql/18/bin', '18.4')
  assert.deepEqual(await versions(machine), ['18.4'])
})

test('knows a beta', async () => {
  await using machine = fakeMachine()
  machine.client('usr/lib/postgresql/19/bin', '19beta2')
  const [client] = await findPostgresClients(machine.options.environment)
  assert.deepEqual([client?.major, client?.version], [19, '19beta2'])
})

test('looks into the kegs of Homebrew, also where they are links, and into PGBIN', async () => {
  await using machine = fakeMachine()
  machine.client('opt/homebrew/Cellar/postgresql@17/17.10/bin', '17.10')
  mkdirSync(join(machine.root, 'opt/homebrew/opt'))
  symlinkSync('../Cellar/postgresql@17/17.10', join(machine.root, 'opt/homebrew/opt/postgresql@17'))
  machine.client('usr/local/opt/libpq/bin', '18.4')
  const { environment } = machine.options
  const env = { ...environment.env, PGBIN: machine.client('elsewhere', '16.14') }
  const clients = await findPostgresClients({ ...environment, env, platform: 'darwin' })
  assert.deepEqual(
    clients.map(({ version }) => version),
    ['17.10', '18.4', '16.14'],
  )
})

test('a relative or empty part of PATH is never searched', async () => {
  await using machine = fakeMachine()
  machine.options.environment.env.PATH = '::.:node_modules'
  assert.deepEqual(await versions(machine), [])
})
