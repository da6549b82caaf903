import http from 'node:http'
import https from 'node:https'
import { messageOf } from '../errors.ts'
import type { Environment } from '../process/environment.ts'
import { log } from '../report/log.ts'
import { ACTION_VERSION } from '../version.ts'

/** What is reported to the monitor. The names are what is appended to the URL, by the convention of Healthchecks. */
type Event = 'start' | 'success' | 'fail'

/** How long the monitor may take to answer, in milliseconds. */
const LIMIT_MS = 4_000

/** A second attempt, because a success that is lost on its way wakes somebody up. */
const ATTEMPTS = 2

/** Reports to a monitor how the step goes. Its answers never change what the step does. */
export type Pings = {
  /** Reports the end, after the start has been reported. */
  end(event: 'success' | 'fail'): Promise<void>
}

/**
 * Reports the start of the step to the monitor of `ping-url`, without waiting for the answer. A cancelled step is reported
 * as failed at once, because the runner leaves it only seconds.
 *
 * @param url null when there is no monitor
 */
export function beginPings(url: string | null, environment: Environment, signal: AbortSignal): Pings {
  if (url === null) return { end: async () => {} }
  const started = ping(url, 'start', environment)
  let failed: Promise<void> | null = null
  const fail = () => {
    failed ??= started.then(() => ping(url, 'fail', environment))
    return failed
  }
  signal.addEventListener('abort', fail, { once: true })
  return {
    end: async (event) => {
      signal.removeEventListener('abort', fail)
      await started
      await failed
      await (event === 'fail' ? fail() : ping(url, event, environment))
    },
  }
}

/** Reports one event. A failure is a warning without the URL, which is a secret. */
async function ping(url: string, event: Event, environment: Environment): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const problem = await request(pingAddress(url, event), environment)
    if (problem === null) return log.debug(`The monitor of ping-url was told: ${event}`)
    if (attempt < ATTEMPTS && problem.passing) continue
    log.warning(
      `ping-url did not take the message that the step ${MEANINGS[event]}: ${problem.reason}; check the URL, and that the runner reaches it`,
    )
    return
  }
}

const MEANINGS: Readonly<Record<Event, string>> = {
  start: 'has started',
  success: 'has succeeded',
  fail: 'has failed',
}

/** Returns the address for an event: `/start` and `/fail` end the path, and a query stays behind it. */
export function pingAddress(url: string, event: Event): string {
  if (event === 'success') return url
  const address = new URL(url)
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/${event}`
  return String(address)
}

type Problem = { reason: string; passing: boolean }

/** @returns why the monitor did not take it, or null */
async function request(address: string, environment: Environment): Promise<Problem | null> {
  try {
    const status = await statusOf(new URL(address), environment)
    if (status >= 200 && status < 300) return null
    return { reason: `it answered ${status}`, passing: status >= 500 || status === 429 }
  } catch (error) {
    const reason =
      error instanceof Error && error.name === 'TimeoutError'
        ? 'no answer in time'
        : messageOf(error) || String((error as NodeJS.ErrnoException).code)
    return { reason, passing: true }
  }
}

/** Asks with an agent of its own, which knows the proxy of the job (`HTTPS_PROXY`, `NO_PROXY`; needs Node 24.5). */
function statusOf(address: URL, environment: Environment): Promise<number> {
  const { Agent, get } = address.protocol === 'https:' ? https : http
  const agent = new Agent({ proxyEnv: environment as NodeJS.ProcessEnv })
  const signal = AbortSignal.timeout(LIMIT_MS)
  const headers = { 'User-Agent': `pgclone-action/${ACTION_VERSION}` }
  return new Promise((resolve, reject) => {
    const asked = get(address, { agent, signal, headers }, (response) => {
      response.destroy()
      resolve(response.statusCode ?? 0)
    })
    asked.on('error', (error) => reject(signal.aborted ? signal.reason : error))
  })
}
