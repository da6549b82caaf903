import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** Milliseconds for one attempt, and how many attempts: together below half a minute. */
const PATIENCE = { timeout: 8_000, attempts: 3, pause: 1_000 }

/** Reasons that stay: no second attempt will find another name or network. */
const FINAL = ['ENOTFOUND', 'EINVAL', 'ERR_SOCKET_BAD_PORT']

/**
 * Whether anybody answers at the store's address. The AWS CLI would find out as well, after minutes: six attempts of up
 * to a minute each, for every request of ours.
 *
 * @throws an Error that names the address and the reason
 */
export async function checkReach(
  url: string,
  signal: AbortSignal,
  patience: typeof PATIENCE = PATIENCE,
): Promise<void> {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const number = Number(port) || (protocol === 'http:' ? 80 : 443)
  let failure: NodeJS.ErrnoException | null = null
  for (let attempt = 0; attempt < patience.attempts; attempt += 1) {
    if (attempt > 0) await wait(patience.pause)
    failure = await tryConnect(host, number, patience.timeout, signal)
    if (!failure || signal.aborted || FINAL.includes(failure.code ?? '')) break
  }
  signal.throwIfAborted()
  if (!failure) return
  throw new Error(
    `Cannot reach the store at ${hostname}:${number}: ${describe(failure, hostname)}; check s3-endpoint-url, and whether this runner may connect there`,
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
    const settle = (failure: NodeJS.ErrnoException | null) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(failure)
    }
    const late = () => settle(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }))
    const timer = setTimeout(late, timeout)
    socket.once('connect', () => settle(null))
    socket.once('error', settle)
  })
}

/** An error of several addresses has no message of its own, and the code of the first. */
function describe(failure: NodeJS.ErrnoException, host: string): string {
  if (failure.code === 'ENOTFOUND') return `there is no host named "${host}"`
  if (failure.code === 'ECONNREFUSED') return 'nobody listens there (connection refused)'
  if (failure.code === 'ETIMEDOUT') return 'no answer in time'
  return failure.message || failure.code || 'no reason given'
}
