import { createConnection } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { noteGroup } from '../../leftovers.ts'
import { type Child, describeExit, type Exit, endChild, startChild } from '../../process/child.ts'
import { findBash, shellCommand } from '../../process/shell.ts'
import { log } from '../../report/log.ts'

/** Where a server listens: a port of a host, or a Unix socket. */
export type Address = { host: string; port: number } | { path: string }

export type TunnelOptions = {
  command: string
  /** The addresses of each database. One address of each must answer. */
  databases: readonly (readonly Address[])[]
  env: Record<string, string>
  cwd: string
  signal: AbortSignal
  /** How long the databases may take to answer, in milliseconds. */
  timeoutMs?: number
}

const OPEN_TIMEOUT_MS = 60_000
const ANSWER_TIMEOUT_MS = 3_000
const POLL_INTERVAL_MS = 100
const MAX_ERROR_LINES = 3

/** PostgreSQL's SSLRequest (PostgreSQL documentation, "Message Formats"): every server and pooler answers with one byte. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])

function describeAddress(address: Address): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`
}

/** Whether a PostgreSQL server answers. A connection alone proves nothing: a forwarder accepts it before it has its own. */
function answers(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ ...address, timeout: ANSWER_TIMEOUT_MS })
    const end = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => socket.write(SSL_REQUEST))
    socket.once('data', () => end(true))
    for (const event of ['timeout', 'error', 'close']) socket.once(event, () => end(false))
  })
}

/** A running `tunnel-command` through which the databases answer. It and all its processes end with the scope. */
export class Tunnel implements AsyncDisposable {
  /** Aborts with the signal of the step, or when the tunnel ends by itself. */
  readonly signal: AbortSignal
  readonly #child: Child
  readonly #forget: () => void
  readonly #broken = new AbortController()
  #ending = false

  private constructor({ command, env, cwd, signal }: TunnelOptions, hasBash: boolean) {
    const { file, args } = shellCommand(command, process.platform, hasBash)
    this.#child = startChild(file, args, { name: 'tunnel', env, cwd, group: true })
    this.#forget = noteGroup(this.#child)
    this.signal = AbortSignal.any([signal, this.#broken.signal])
    void this.#child.exited.then((exit) => this.#ended(exit))
  }

  /** @throws an Error when the command ends, when the databases do not answer in time, or when they answered before it */
  static async open(options: TunnelOptions): Promise<Tunnel> {
    if (await allAnswer(options.databases)) {
      const taken = options.databases.flat().map(describeAddress).join(', ')
      throw new Error(
        `A server answers at ${taken} before tunnel-command has started, so the tunnel would not be used; choose another local port in tunnel-command and database-url`,
      )
    }
    log.info(`Opening the tunnel: ${options.command}`)
    const tunnel = new Tunnel(options, await findBash(options.env))
    try {
      await tunnel.#untilAnswered(options)
      return tunnel
    } catch (error) {
      await tunnel[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Why the tunnel ended by itself, or null. */
  get failure(): Error | null {
    return this.#broken.signal.aborted ? this.#broken.signal.reason : null
  }

  #ended(exit: Exit): void {
    if (this.#ending) return
    const words = this.#child.tail.slice(-MAX_ERROR_LINES).join(' / ')
    const hint = exit.code === 0 ? '; it must stay in the foreground (ssh without -f)' : ''
    this.#broken.abort(
      new Error(`tunnel-command ${describeExit(exit)} before the step did${hint}${words && `: ${words}`}`),
    )
  }

  async #untilAnswered({ databases, timeoutMs = OPEN_TIMEOUT_MS }: TunnelOptions): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!(await allAnswer(databases))) {
      this.signal.throwIfAborted()
      if (Date.now() > deadline) {
        const where = databases.map((addresses) => addresses.map(describeAddress).join(' or ')).join(' and ')
        throw new Error(
          `No PostgreSQL server answered at ${where} within ${Math.round(timeoutMs / 1000)} s after tunnel-command began; check the ports in tunnel-command and in database-url`,
        )
      }
      await wait(POLL_INTERVAL_MS, undefined, { signal: this.signal }).catch(() => undefined)
    }
    this.signal.throwIfAborted()
    log.info('The tunnel is open')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true
    await endChild(this.#child, ['SIGTERM', 'SIGKILL'], 2000)
    this.#forget()
  }
}

async function allAnswer(databases: TunnelOptions['databases']): Promise<boolean> {
  const reached = databases.map(async (addresses) =>
    (await Promise.all(addresses.map(answers))).includes(true),
  )
  return (await Promise.all(reached)).every(Boolean)
}
