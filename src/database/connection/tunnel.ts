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
  /** For each database that must be reached its addresses, one of which must answer. */
  databases: readonly (readonly Address[])[]
  env: Record<string, string>
  cwd: string
  signal: AbortSignal
  /** Milliseconds until the databases must answer. */
  patience?: number
}

const PATIENCE = 60_000
const ANSWER_TIMEOUT = 3_000
const OFTEN = 100
const LAST_LINES = 3

/** PostgreSQL's SSLRequest (PostgreSQL documentation, "Message Formats"): every server and pooler answers with one byte. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])

function describeAddress(address: Address): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`
}

/** Whether a PostgreSQL server answers there. A forwarder accepts connections before it has any of its own. */
function answers(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ ...address, timeout: ANSWER_TIMEOUT })
    const end = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => socket.write(SSL_REQUEST))
    socket.once('data', () => end(true))
    for (const event of ['timeout', 'error', 'close']) socket.once(event, () => end(false))
  })
}

/** A running `tunnel-command`, behind which the databases answer. It ends with its scope, with all that it started. */
export class Tunnel implements AsyncDisposable {
  /** Aborts with that of the step, or when the tunnel ends by itself. */
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

  /** @throws an Error when the command ends, or when the databases do not answer in time, or did before it began */
  static async open(options: TunnelOptions): Promise<Tunnel> {
    if (await everyOne(options.databases)) {
      const taken = options.databases.flat().map(describeAddress).join(', ')
      throw new Error(
        `A server answers at ${taken} before tunnel-command has begun, so that the tunnel would not be used; give it a port of its own, in tunnel-command and in database-url`,
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
    const words = this.#child.tail.slice(-LAST_LINES).join(' / ')
    const hint = exit.code === 0 ? '; it must stay in the foreground (ssh without -f)' : ''
    this.#broken.abort(
      new Error(`tunnel-command ${describeExit(exit)} before the step did${hint}${words && `: ${words}`}`),
    )
  }

  async #untilAnswered({ databases, patience = PATIENCE }: TunnelOptions): Promise<void> {
    const deadline = Date.now() + patience
    while (!(await everyOne(databases))) {
      this.signal.throwIfAborted()
      if (Date.now() > deadline) {
        const where = databases.map((addresses) => addresses.map(describeAddress).join(' or ')).join(' and ')
        throw new Error(
          `No PostgreSQL server answered at ${where} within ${Math.round(patience / 1000)} s after tunnel-command began; check the ports in tunnel-command and in database-url`,
        )
      }
      await wait(OFTEN, undefined, { signal: this.signal }).catch(() => undefined)
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

async function everyOne(databases: TunnelOptions['databases']): Promise<boolean> {
  const reached = databases.map(async (addresses) =>
    (await Promise.all(addresses.map(answers))).includes(true),
  )
  return (await Promise.all(reached)).every(Boolean)
}
