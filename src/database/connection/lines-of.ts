import type { Readable } from 'node:stream'

/** Yields lines without their ends, which on Windows are two characters. */
export async function* linesOf(stream: Readable): AsyncGenerator<string, void> {
  let rest = ''
  const decoder = new TextDecoder()
  // The stream outlives this generator when the session is handed over.
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    const pieces = (
      rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
    ).split('\n')
    rest = pieces.pop()!
    for (const piece of pieces) yield piece.replace(/\r$/, '')
  }
}
