import http from 'node:http'
import type { Environment } from './environment.ts'

/**
 * Makes `fetch` use the proxy that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`) until the end of the
 * scope. Needs Node 24.14; an older one connects directly.
 */
export function useProxy(environment: Environment): Disposable {
  const restore = http.setGlobalProxyFromEnv?.(environment as Record<string, string>)
  return { [Symbol.dispose]: () => restore?.() }
}

/** `fetch` only says `fetch failed`; the innermost cause has the reason. */
export function rootCause(error: unknown): string {
  let cause = error
  while (cause instanceof Error && cause.cause) cause = cause.cause
  return cause instanceof Error ? cause.message : String(cause)
}
