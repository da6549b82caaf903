import { createWriteStream } from 'node:fs'
import http from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ToolOptions } from './options.ts'

/** Milliseconds that the connection and every next byte may take, so that a machine without internet falls back soon. */
const PATIENCE = 10_000

/**
 * Downloads a file, from the mirror where there is one. Fewer or more bytes than Content-Length says, a stall, and any status but 200 are errors.
 * A proxy named by the environment is used (`HTTPS_PROXY`, `NO_PROXY`; needs Node 24.14).
 */
export async function download(
  original: string,
  file: string,
  { environment, signal, downloadBaseUrl }: Pick<ToolOptions, 'environment' | 'signal' | 'downloadBaseUrl'>,
  patience = PATIENCE,
): Promise<void> {
  const url = mirrored(original, downloadBaseUrl)
  const stalled = new AbortController()
  const stall = () => stalled.abort(new Error(`nothing came for ${patience / 1000} s`))
  const timer = setTimeout(stall, patience)
  const restoreProxy = http.setGlobalProxyFromEnv?.(environment.env as Record<string, string>)
  try {
    const response = await fetch(url, {
      signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal,
    })
    if (response.status !== 200 || !response.body) throw new Error(`the server answered ${response.status}`)
    const body = Readable.fromWeb(response.body)
    body.on('data', () => timer.refresh())
    await pipeline(body, createWriteStream(file, { mode: 0o600 }))
  } catch (error) {
    signal?.throwIfAborted()
    throw new Error(`${url} could not be downloaded: ${rootCause(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    restoreProxy?.()
  }
}

/**
 * The address of something on a mirror: `https://host/path` is below the mirror's own address as `host/path`, which is
 * what `wget --force-directories` makes and what a reverse proxy can serve for all hosts alike.
 */
export function mirrored(url: string, mirror: string | null): string {
  return mirror === null ? url : `${mirror.replace(/\/+$/, '')}/${url.replace(/^https?:\/\//, '')}`
}

/** fetch says `fetch failed`; the reason is inside. */
function rootCause(error: unknown): string {
  let cause = error
  while (cause instanceof Error && cause.cause) cause = cause.cause
  return cause instanceof Error ? cause.message : String(cause)
}
