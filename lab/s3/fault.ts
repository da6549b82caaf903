import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Request } from './request.ts'

/** What happens to a request. `after` and `at` count bytes of the body, of the answer for GET, else of the request. */
export type FaultAction =
  /** An error answer, such as 503 SlowDown or 400 ExpiredToken. */
  | { type: 'error'; status: number; code: string; message?: string }
  /** The connection ends in good form (FIN), too early. */
  | { type: 'close'; after: number }
  /** The connection breaks (RST). */
  | { type: 'reset'; after: number }
  /** The connection stays, and no more bytes move. */
  | { type: 'stall'; after: number }
  /** A chunked answer that ends early and in good form: the client cannot know. */
  | { type: 'truncate'; after: number }
  /** The whole object, regardless of the requested range. */
  | { type: 'ignore-range' }
  /** One byte of the body is another one. */
  | { type: 'flip'; at: number }
  /** Waits before the answer. */
  | { type: 'delay'; ms: number }
  /** Does what was asked, and waits before the answer. */
  | { type: 'late-answer'; ms: number }
  /** Something happens before the request is answered, such as another writer that replaces the object. */
  | { type: 'call'; run: (request: S3Request) => void | Promise<void> }

/** Which requests a fault hits: those that match all that is given, from the nth on, as often as `times` says. */
export interface FaultRule {
  method?: string
  /** Name of the operation, such as `UploadPart`. */
  operation?: string
  key?: string | RegExp
  /** Tested against the raw query, such as `partNumber=3&uploadId=…`. */
  query?: string | RegExp
  /** The first matching request that is hit, counted from 1. */
  nth?: number
  /** How many requests are hit; 1 by default. */
  times?: number
  action: FaultAction
}

/** The faults that wait for their requests. */
export class Faults {
  readonly #rules: { rule: FaultRule; matched: number; hits: number }[] = []

  add(rule: FaultRule): void {
    this.#rules.push({ rule, matched: 0, hits: 0 })
  }

  clear(): void {
    this.#rules.length = 0
  }

  /** The fault for a request. Every rule that matches counts it, the first that applies decides. */
  take(request: S3Request): FaultAction | undefined {
    let action: FaultAction | undefined
    for (const entry of this.#rules) {
      if (!matches(entry.rule, request)) continue
      entry.matched++
      const applies = entry.matched >= (entry.rule.nth ?? 1) && entry.hits < (entry.rule.times ?? 1)
      if (!applies || action) continue
      entry.hits++
      action = entry.rule.action
    }
    return action
  }
}

function matches(rule: FaultRule, request: S3Request): boolean {
  const fits = (pattern: string | RegExp | undefined, text: string) =>
    pattern === undefined || (typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text))
  return (
    (rule.method ?? request.method) === request.method &&
    (rule.operation ?? request.operation) === request.operation &&
    fits(rule.key, request.key) &&
    fits(rule.query, request.query)
  )
}

/** The connection is broken on purpose: there is nothing more to answer. */
export class BrokenOnPurpose extends Error {}

/** Passes a body on until its fault. */
export async function* faultyBody(
  body: AsyncIterable<Buffer>,
  action: FaultAction | undefined,
  socket: Socket,
): AsyncGenerator<Buffer> {
  let seen = 0
  for await (const chunk of body) {
    const start = seen
    seen += chunk.length
    if (action?.type === 'flip' && action.at >= start && action.at < seen) {
      const altered = Buffer.from(chunk)
      altered[action.at - start]! ^= 0xff
      yield altered
    } else if (action && 'after' in action && seen > action.after) {
      yield chunk.subarray(0, action.after - start)
      return await interrupt(action, socket)
    } else {
      yield chunk
    }
  }
}

async function interrupt(
  action: { type: 'close' | 'reset' | 'stall' | 'truncate' },
  socket: Socket,
): Promise<void> {
  if (action.type === 'truncate') return
  if (action.type === 'close') socket.end()
  // A reset discards what the system has not sent yet.
  if (action.type === 'reset') await sleep(20).then(() => socket.resetAndDestroy())
  if (!socket.closed && action.type === 'stall') await once(socket, 'close')
  socket.destroySoon()
  throw new BrokenOnPurpose(action.type)
}
