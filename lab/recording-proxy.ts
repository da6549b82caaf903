import { type Side, startProxy } from './proxy.ts'

/** Where a value was found, without the value's neighbours. */
type Passage = { value: string; form: string; connection: number; from: Side }

/** A proxy before a PostgreSQL server that keeps every byte of both directions. */
export type RecordingProxy = Awaited<ReturnType<typeof startProxy>> & {
  /**
   * Finds values in what has passed: as text in several encodings, as COPY and JSON escape it, in hex and in base64.
   *
   * @throws an Error if nothing has passed, or if a connection was encrypted, because then nothing can be found
   */
  find(values: readonly string[]): Passage[]
  /** Forgets what has passed. */
  clear(): void
}

/** Starts a proxy that keeps every byte between clients and a server on this machine. */
export async function startRecordingProxy(target: { port: number; host?: string }): Promise<RecordingProxy> {
  const records = new Map<string, { connection: number; from: Side; parts: Buffer[] }>()
  const proxy = await startProxy(target, (connection, from, bytes) => {
    const key = `${connection} ${from}`
    const record = records.get(key) ?? { connection, from, parts: [] }
    records.set(key, record)
    // The socket may use its buffer again.
    record.parts.push(Buffer.from(bytes))
  })
  const own = {
    find: (values: readonly string[]) => {
      const streams = [...records.values()].map(({ connection, from, parts }) => ({
        ...{ connection, from },
        bytes: Buffer.concat(parts),
      }))
      refuseUnreadable(streams)
      return values.flatMap((value) =>
        formsOf(value).flatMap(([form, bytes]) =>
          streams
            .filter((stream) => stream.bytes.includes(bytes))
            .map(({ connection, from }) => ({ value, form, connection, from })),
        ),
      )
    },
    clear: () => records.clear(),
  }
  // The accessors of the proxy stay accessors.
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(proxy)) as RecordingProxy
}

type Stream = { connection: number; from: Side; bytes: Buffer }

/** Where the packet of a client that asks for encryption has its code, and the codes for TLS and GSSAPI (pqcomm.h). */
const CODE_AT = 4
const ENCRYPTION_CODES = [80877103, 80877104]
const REFUSED = 'N'

function refuseUnreadable(streams: readonly Stream[]): void {
  if (!streams.some(({ from, bytes }) => from === 'server' && bytes.length > 0))
    throw new Error('The server has sent nothing through the proxy, so there is nothing to search')
  for (const { connection, bytes } of streams.filter(({ from }) => from === 'client')) {
    if (bytes.length < CODE_AT + 4 || !ENCRYPTION_CODES.includes(bytes.readUInt32BE(CODE_AT))) continue
    const answer = streams.find((stream) => stream.connection === connection && stream.from === 'server')
    if (answer && answer.bytes.length > 0 && answer.bytes.toString('latin1', 0, 1) !== REFUSED)
      throw new Error(`Connection ${connection} is encrypted, so nothing can be found in it`)
  }
}

/** Returns every form in which a value may pass, each with its name. */
function formsOf(value: string): [string, Buffer][] {
  const texts = { text: value, 'COPY text': copyText(value), 'JSON text': JSON.stringify(value).slice(1, -1) }
  const encodings = ['utf8', ...(/^[\x00-\xff]*$/.test(value) ? (['latin1'] as const) : [])] as const
  const forms = new Map<string, [string, Buffer]>()
  const add = (form: string, bytes: Buffer) => {
    const key = bytes.toString('latin1')
    if (!forms.has(key)) forms.set(key, [form, bytes])
  }
  for (const encoding of encodings) {
    for (const [form, text] of Object.entries(texts)) add(form, Buffer.from(text, encoding))
    const bytes = Buffer.from(value, encoding)
    const hex = bytes.toString('hex')
    add('hex', Buffer.from(hex))
    add('hex', Buffer.from(hex.toUpperCase()))
    for (const text of base64Of(bytes)) add('base64', Buffer.from(text))
  }
  return [...forms.values()]
}

/** The escapes of COPY's text format. */
const ESCAPES: Record<string, string> = {
  ...{ '\\': '\\\\', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v' },
}

function copyText(value: string): string {
  return value.replace(/[\\\b\f\n\r\t\v]/g, (character) => ESCAPES[character]!)
}

/** Returns what of the base64 text of longer bytes depends on these alone, at each of the three alignments. */
function base64Of(bytes: Buffer): string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
  })
}
