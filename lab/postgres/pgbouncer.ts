import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../port.ts'
import { tempFolder } from '../temp.ts'
import { endWatchdog, startWatchdog } from '../watchdog.ts'
import { nobody, type Postgres } from './postgres.ts'

/** A real PgBouncer before a server. */
export type PgBouncer = AsyncDisposable & { readonly port: number }

/** Starts a pooler that lets the server's superuser in without a password, into the given databases or all (`*`). */
export async function startPgBouncer(
  postgres: Postgres,
  { mode, databases = ['*'] }: { mode: 'transaction' | 'session'; databases?: string[] },
): Promise<PgBouncer> {
  await using scope = new AsyncDisposableStack()
  // It refuses to run as root.
  const owner = process.getuid?.() === 0 ? nobody() : undefined
  const folder = scope.use(tempFolder('pgbouncer', owner)).path
  const port = await freePort()
  const file = join(folder, 'pgbouncer.ini')
  const users = join(folder, 'users.txt')
  writeFileSync(users, `"${postgres.user}" ""\n`)
  const password = `'${postgres.password.replaceAll("'", "''")}'`
  const server = `host=${postgres.host} port=${postgres.port} user=${postgres.user} password=${password}`
  const lines = [
    '[databases]',
    ...databases.map((name) => `${name} = ${server}`),
    '[pgbouncer]',
    `listen_addr = 127.0.0.1`,
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = trust',
    `auth_file = ${users}`,
    `pool_mode = ${mode}`,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const env = { PATH: `${process.env.PATH}:/usr/sbin` }
  const child = spawn('pgbouncer', ['--quiet', file], { ...owner, env, cwd: folder, stdio: 'ignore' })
  const ended = once(child, 'exit')
  const watchdog = startWatchdog('kill -KILL "$1"', [String(child.pid)])
  scope.defer(async () => {
    child.kill('SIGKILL')
    await ended
    endWatchdog(watchdog)
  })
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`PgBouncer did not start, exit code ${child.exitCode}`)
    await sleep(20)
  }
  const resources = scope.move()
  return { port, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
