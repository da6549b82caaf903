import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../port.ts'
import { isAlive, killTree } from '../processes.ts'

/** A data folder and the programs that serve it. */
export interface Cluster {
  folder: string
  bin: string
  dataDir: string
  socketDir: string
  logFile: string
  /** Whom the server runs as, when that is not us. */
  owner: { uid: number; gid: number } | undefined
  user: string
  password: string
}

/** How a server may be told to stop. */
export type StopMode = 'smart' | 'fast' | 'immediate'

const signals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const

/** The running server process of a cluster. */
export interface Server {
  port: number
  stop(mode: StopMode): Promise<void>
  kill(): Promise<void>
  restart(): Promise<void>
}

/** Starts the server. Another process may take the port between our choice and the server's start: try again. */
export async function startOnFreePort(cluster: Cluster): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    try {
      return await startServer(cluster, port)
    } catch (error) {
      if (attempt === 5 || !readFileSync(cluster.logFile, 'utf8').includes('Address already in use'))
        throw error
    }
  }
}

async function startServer(cluster: Cluster, port: number): Promise<Server> {
  let child = await launch(cluster, port)
  const server: Server = {
    port,
    async stop(mode) {
      if (hasEnded(child)) return
      child.kill(signals[mode])
      await ended(child)
    },
    async kill() {
      if (hasEnded(child)) return
      child.kill('SIGSTOP') // It must not start new children, nor end them in good order.
      killTree(child.pid!)
      await ended(child)
    },
    async restart() {
      await server.stop('fast')
      child = await relaunch(cluster, port)
    },
  }
  return server
}

const RELAUNCHES = 50

/** Starts a killed server again. The system takes a moment to free the shared memory of the processes that were killed. */
async function relaunch(cluster: Cluster, port: number): Promise<ChildProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(cluster, port)
    } catch (error) {
      const inUse = String(error).includes('pre-existing shared memory block')
      if (attempt === RELAUNCHES || !inUse) throw error
      await sleep(100)
    }
  }
}

async function launch(cluster: Cluster, port: number): Promise<ChildProcess> {
  const log = openSync(cluster.logFile, 'a')
  const child = spawn(join(cluster.bin, 'postgres'), ['-D', cluster.dataDir, '-p', String(port)], {
    ...processOptions(cluster),
    stdio: ['ignore', log, log],
    // Ctrl-C must reach the tests alone; the watchdog ends the server then.
    detached: true,
  })
  closeSync(log)
  child.unref()
  child.on('error', () => {})
  while (!isReady(cluster.dataDir, child.pid)) {
    if (hasEnded(child))
      throw new Error(`PostgreSQL did not start:\n${readFileSync(cluster.logFile, 'utf8')}`)
    await sleep(15)
  }
  return child
}

/** What pg_ctl looks at as well: the eighth line of the pid file. */
function isReady(dataDir: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')
    return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
  } catch {
    return false
  }
}

/** How to run the programs of a cluster. */
export function processOptions(cluster: Cluster) {
  // Nothing of our environment, such as PGDATA or a locale, may change what the server does.
  return { ...cluster.owner, cwd: cluster.folder, env: { PATH: process.env.PATH, TZ: 'UTC' } }
}

function hasEnded(child: ChildProcess): boolean {
  return (
    child.pid === undefined || child.exitCode !== null || child.signalCode !== null || !isAlive(child.pid)
  )
}

async function ended(child: ChildProcess): Promise<void> {
  child.ref()
  await once(child, 'exit')
}
