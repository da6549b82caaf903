import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { rootCause, useProxy } from '../process/proxy.ts'
import type { ToolOptions } from './options.ts'

/** How long the connection and each next byte may take; a machine without internet must fall back soon. */
const STALL_TIMEOUT_MS = 10_000

/**
 * Downloads a file, from the mirror if there is one. A length that differs from Content-Length, a stall, and any status
 * but 200 are errors. A proxy that the environment names is used.
 */
export async function download(
  original: string,
  file: string,
  { environment, signal, downloadBaseUrl }: Pick<ToolOptions, 'environment' | 'signal' | 'downloadBaseUrl'>,
  stallTimeout = STALL_TIMEOUT_MS,
): Promise<void> {
  const url = mirrored(original, downloadBaseUrl)
  const stalled = new AbortController()
  const stall = () => stalled.abort(new Error(`no data arrived for ${stallTimeout / 1000} s`))
  const timer = setTimeout(stall, stallTimeout)
  using _ = useProxy(environment.env)
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
  }
}

/**
 * The address of a file on a mirror. The mirror has `https://host/path` below its own address as `host/path`, which is
 * the layout of `wget --force-directories`; a reverse proxy can serve it with one rule for all hosts.
 */
export function mirrored(url: string, mirror: string | null): string {
  return mirror === null ? url : `${mirror.replace(/\/+$/, '')}/${url.replace(/^https?:\/\//, '')}`
}
