import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { formatCount } from '../report/format.ts'
import { EncryptionError } from './encryption-error.ts'
import type { Pieces } from './pieces.ts'

/** The payload of age: STREAM with ChaCha20-Poly1305 (C2SP: age.md, "Payload"), on the cipher of OpenSSL. */
const CIPHER = 'chacha20-poly1305'
const CHUNK_BYTES = 64 * 1024
const TAG_BYTES = 16
const SALT_BYTES = 16
const NONCE_BYTES = 12
const COUNTER_BYTES = 11

/** Encrypts a stream, chunk by chunk. The flag of the last one is how a reader notices that a file was cut. */
export async function* encryptPayload(input: Pieces, fileKey: Uint8Array): AsyncGenerator<Buffer> {
  const salt = randomBytes(SALT_BYTES)
  const key = payloadKey(fileKey, salt)
  yield salt
  for (let index = 0, isLast = false; !isLast; index += 1) {
    // One more byte shows whether there is another chunk.
    isLast = !(await input.fill(CHUNK_BYTES + 1))
    yield seal(key, nonceOf(index, isLast), input.take(CHUNK_BYTES))
  }
}

/**
 * Decrypts a stream, and yields nothing that was not authenticated.
 *
 * @throws an EncryptionError when chunks were cut off, changed or moved
 */
export async function* decryptPayload(input: Pieces, fileKey: Uint8Array): AsyncGenerator<Buffer> {
  if (!(await input.fill(SALT_BYTES))) throw new EncryptionError('the encrypted data ends before its content')
  const key = payloadKey(fileKey, Buffer.concat(input.take(SALT_BYTES)))
  for (let index = 0, isLast = false; !isLast; index += 1) {
    isLast = !(await input.fill(CHUNK_BYTES + TAG_BYTES + 1))
    const bytes = Math.min(CHUNK_BYTES, Math.max(0, input.bytes - TAG_BYTES))
    const sealed = { pieces: input.take(bytes), tag: Buffer.concat(input.take(TAG_BYTES)) }
    const chunk = open(key, nonceOf(index, isLast), sealed)
    // Only a whole file that is empty has an empty chunk.
    if (chunk && (bytes > 0 || index === 0)) {
      yield* chunk
      continue
    }
    const other = open(key, nonceOf(index, !isLast), sealed)
    // A file that was cut or continued between two chunks is authentic up to there.
    if (other && bytes === CHUNK_BYTES) yield* other
    throw damageOf(index + 1, { isLast, fitsElsewhere: other !== null })
  }
}

function payloadKey(fileKey: Uint8Array, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, salt, 'payload', 32))
}

/** A counter, most significant byte first, and the flag of the last chunk. Six of its eleven bytes count 16 EiB. */
function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUIntBE(index, COUNTER_BYTES - 6, 6)
  nonce[COUNTER_BYTES] = isLast ? 1 : 0
  return nonce
}

function seal(key: Buffer, nonce: Buffer, chunk: readonly Buffer[]): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  const sealed = chunk.map((piece) => cipher.update(piece))
  cipher.final()
  return Buffer.concat([...sealed, cipher.getAuthTag()])
}

/** @returns null when the chunk is not what was sealed with this key and nonce */
function open(
  key: Buffer,
  nonce: Buffer,
  { pieces, tag }: { pieces: readonly Buffer[]; tag: Buffer },
): Buffer[] | null {
  if (tag.length < TAG_BYTES) return null
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAuthTag(tag)
  const chunk = pieces.map((piece) => decipher.update(piece))
  try {
    decipher.final()
    return chunk
  } catch {
    return null
  }
}

function damageOf(
  chunk: number,
  { isLast, fitsElsewhere }: { isLast: boolean; fitsElsewhere: boolean },
): EncryptionError {
  const number = formatCount(chunk)
  if (isLast)
    return new EncryptionError(
      fitsElsewhere
        ? `the encrypted data ends after chunk ${number}, which is not its last one`
        : `the encrypted data ends inside chunk ${number}, or that chunk was changed`,
    )
  return new EncryptionError(
    fitsElsewhere
      ? `the encrypted data continues after its last chunk, ${number}`
      : `chunk ${number} of the encrypted data was changed, or belongs elsewhere`,
  )
}
