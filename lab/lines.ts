import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** Line ends of .NET's `ReadLine`, which the runner uses: a lone carriage return is one as well. */
export const lineEnd = /\r\n|\n|\r/

/** Calls back for every line of a stream, also for a last one without an end. */
export function onLine(stream: Readable, callback: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    // A carriage return at the end may be the first half of a line end.
    const text = rest + decoder.write(chunk)
    const ready = text.endsWith('\r') ? text.slice(0, -1) : text
    const lines = ready.split(lineEnd)
    rest = lines.pop()! + text.slice(ready.length)
    for (const line of lines) callback(line)
  })
  stream.on('end', () => {
    for (const line of (rest + decoder.end()).replace(/\r$/, '').split(lineEnd)) if (line) callback(line)
  })
}
