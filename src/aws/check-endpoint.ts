import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** Together the attempts take less than half a minute. */
const LIMITS = { timeoutMs: 8_000, attempts: 3, pauseMs: 1_000 }

/** Reasons that another attempt does not change. */
const PERMANENT_ERRORS = ['ENOTFOUND', 'EINVAL', 'ERR_SOCKET_BAD_PORT']

/**
 * Checks that a server listens at the store's address. The AWS CLI would notice too, but only after minutes: it makes six
 * attempts of up to a minute for each request.
 *
 * @param setting the input or variable that decides the address, for the error
 * @throws an Error that names the address, the reason and the setting
 */
export async function checkEndpoint(
  url: string,
  setting: string,
  signal: AbortSignal,
  limits: typeof LIMITS = LIMITS,
): Promise<void> {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const number = Number(port) || (protocol === 'http:' ? 80 : 443)
  let failure: NodeJS.ErrnoException | null = null
  for (let attempt = 0; attempt < limits.attempts; attempt += 1) {
    if (attempt > 0) await wait(limits.pauseMs)
    failure = await tryConnect(host, number, limits.timeoutMs, signal)
    if (!failure || signal.aborted || PERMANENT_ERRORS.includes(failure.code ?? '')) break
  }
  signal.throwIfAborted()
  if (!failure) return
  throw new Error(
    `Cannot reach the store at ${hostname}:${number}: ${describe(failure, hostname)}; check ${setting}, and whether this runner may connect there`,
    { cause: failure },
  )
}

function tryConnect(
  host: string,
  port: number,
  timeout: number,
  signal: AbortSignal,
): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal })
    const finish = (failure: NodeJS.ErrnoException | null) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(failure)
    }
    const late = () => finish(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }))
    const timer = setTimeout(late, timeout)
    socket.once('connect', () => finish(null))
    socket.once('error', finish)
  })
}

/** The error of a host with several addresses has no message, but it has the code of the first address. */
function describe(failure: NodeJS.ErrnoException, host: string): string {
  if (failure.code === 'ENOTFOUND') return `there is no host named "${host}"`
  if (failure.code === 'ECONNREFUSED') return 'no server listens there (connection refused)'
  if (failure.code === 'ETIMEDOUT') return 'no answer in time'
  return failure.message || failure.code || 'no reason given'
}
