import type { ServerResponse } from 'node:http'
import { webServer } from './tools/web-server.ts'

/** A monitor as Healthchecks is one, on loopback. It remembers what it was told, in order, without the beginning of the path. */
export async function startMonitor(
  answer: (response: ServerResponse, event: string) => void = (response) => response.end('OK'),
) {
  const path = '/ping/5c1f0d2e-4a5b'
  const eventOf = (asked: string) => asked.replace(path, '').replace(/^$/, 'success')
  const server = await webServer((request, response) => answer(response, eventOf(request.url ?? '')))
  return {
    url: `${server.url}${path}`,
    told: () => server.requests.map(eventOf),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
