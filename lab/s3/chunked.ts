import { S3Error } from './error.ts'

const lineEnd = Buffer.from('\r\n')

/**
 * Undoes the `aws-chunked` coding: pieces with their length before them, then trailing headers such as
 * `x-amz-checksum-crc64nvme`, which `trailers` receives. Newer AWS CLIs send it over TLS; a store that does not know it
 * keeps the framing in the object.
 */
export async function* decodeAwsChunked(
  body: AsyncIterable<Buffer>,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  const input = new Input(body)
  for (;;) {
    const [length = ''] = (await input.line()).split(';')
    if (!/^[0-9a-f]+$/i.test(length)) throw incomplete()
    let left = Number.parseInt(length, 16)
    if (left === 0) break
    while (left > 0) {
      const piece = await input.atMost(left)
      left -= piece.length
      yield piece
    }
    if ((await input.line()) !== '') throw incomplete()
  }
  for (let line = await input.line(); line !== ''; line = await input.line()) {
    const [name = '', ...value] = line.split(':')
    trailers.set(name.toLowerCase(), value.join(':').trim())
  }
}

function incomplete(): S3Error {
  return new S3Error(400, 'IncompleteBody', 'The request body terminated unexpectedly')
}

/** Reads lines and pieces from a stream of buffers. */
class Input {
  readonly #source: AsyncIterator<Buffer>
  #buffer: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(lineEnd)
      if (end >= 0) return this.#take(end + 2).toString('latin1', 0, end)
      if (!(await this.#more())) return this.#take(this.#buffer.length).toString('latin1')
    }
  }

  async atMost(length: number): Promise<Buffer> {
    if (this.#buffer.length === 0 && !(await this.#more())) throw incomplete()
    return this.#take(Math.min(length, this.#buffer.length))
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length)
    this.#buffer = this.#buffer.subarray(length)
    return taken
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#source.next()
    if (done) return false
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value])
    return true
  }
}
