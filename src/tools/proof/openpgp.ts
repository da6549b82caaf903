import { createHash, createPublicKey, createVerify, type KeyObject } from 'node:crypto'
import { createReadStream } from 'node:fs'

/**
 * The part of OpenPGP (RFC 4880) that is needed to check a detached RSA signature, so that a download can be checked on every machine,
 * with or without gpg. The cryptography itself is Node's.
 */

export type Signer = { fingerprint: string; armored: string }

type Packet = { tag: number; body: Buffer }

const SIGNATURE = 2
const PUBLIC_KEY = 6
const RSA = 1
const BINARY_DOCUMENT = 0
/** RFC 4880, 9.4. Weaker hashes prove nothing. */
const HASHES: Record<number, string> = { 8: 'sha256', 9: 'sha384', 10: 'sha512' }

/** The bytes inside of `-----BEGIN …-----`, without the checksum. */
function dearmor(armored: string): Buffer {
  const blocks = [
    ...armored.matchAll(
      /^-----BEGIN [^\n]+\r?\n(?:[^\r\n]+\r?\n)*\r?\n([A-Za-z0-9+/\r\n]+=*)[^-]*-----END /gm,
    ),
  ]
  if (blocks.length !== 1) throw new Error(`it has ${blocks.length} armored blocks instead of one`)
  return Buffer.from(blocks[0]![1]!, 'base64')
}

/** Splits bytes into packets, whose length has an old and a new form (RFC 4880, 4.2). */
function packets(bytes: Buffer): Packet[] {
  const found: Packet[] = []
  for (let at = 0; at < bytes.length; ) {
    const [tag, start, length] = packetHeader(bytes, at)
    if (start + length > bytes.length) throw new Error('it is truncated')
    found.push({ tag, body: bytes.subarray(start, start + length) })
    at = start + length
  }
  return found
}

/** Returns the tag, the start of the body and its length. Reading past the end throws. */
function packetHeader(bytes: Buffer, at: number): [number, number, number] {
  const first = bytes.readUInt8(at)
  if ((first & 0x80) === 0) throw new Error('it is not OpenPGP data')
  if ((first & 0x40) === 0) {
    const size = 1 << (first & 3)
    if (size === 8) throw new Error('it has a packet without a length')
    return [(first >> 2) & 15, at + 1 + size, bytes.readUIntBE(at + 1, size)]
  }
  const tag = first & 63
  const length = bytes.readUInt8(at + 1)
  if (length < 192) return [tag, at + 2, length]
  if (length < 224) return [tag, at + 3, ((length - 192) << 8) + bytes.readUInt8(at + 2) + 192]
  if (length < 255) throw new Error('it has a packet with partial lengths')
  return [tag, at + 6, bytes.readUInt32BE(at + 2)]
}

/** Reads a multiprecision integer: its length in bits, then its bytes. */
function readNumber(body: Buffer, at: number): { value: Buffer; end: number } {
  const end = at + 2 + Math.ceil(body.readUInt16BE(at) / 8)
  if (end > body.length) throw new Error('it is truncated')
  return { value: body.subarray(at + 2, end), end }
}

/** Returns the fingerprint of the primary key in an armored key block (version 4; RFC 4880, 12.2). @throws unless there is exactly one */
export function fingerprintOf(armored: string): string {
  const keys = packets(dearmor(armored)).filter(({ tag }) => tag === PUBLIC_KEY)
  const [key] = keys
  if (!key || keys.length !== 1) throw new Error(`it holds ${keys.length} keys instead of one`)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(key.body.length)
  const hash = createHash('sha1').update(Buffer.of(0x99)).update(length).update(key.body)
  return hash.digest('hex').toUpperCase()
}

function rsaKey({ armored, fingerprint }: Signer): KeyObject {
  if (fingerprintOf(armored) !== fingerprint) throw new Error(`the key is not ${fingerprint}`)
  const { body } = packets(dearmor(armored)).find(({ tag }) => tag === PUBLIC_KEY)!
  if (body[0] !== 4 || body[5] !== RSA) throw new Error('the key is not an RSA key of version 4')
  const modulus = readNumber(body, 6)
  const exponent = readNumber(body, modulus.end)
  const [n, e] = [modulus.value.toString('base64url'), exponent.value.toString('base64url')]
  return createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' })
}

/** Returns what was signed beside the file, and the signature itself (RFC 4880, 5.2.3 and 5.2.4). */
function readSignature(bytes: Buffer) {
  const all = packets(bytes)
  const [{ tag, body } = { tag: 0, body: Buffer.alloc(0) }] = all
  if (all.length !== 1 || tag !== SIGNATURE) throw new Error('it is not a detached signature')
  const [version, type, algorithm, hashAlgorithm] = body
  const hash = HASHES[hashAlgorithm ?? 0]
  if (version !== 4 || type !== BINARY_DOCUMENT || algorithm !== RSA || !hash) {
    throw new Error('it is not an RSA signature of a file with SHA-2')
  }
  const hashedEnd = 6 + body.readUInt16BE(4)
  const unhashedEnd = hashedEnd + 2 + body.readUInt16BE(hashedEnd)
  const trailer = Buffer.from([4, 0xff, 0, 0, 0, 0])
  trailer.writeUInt32BE(hashedEnd, 2)
  const { value } = readNumber(body, unhashedEnd + 2)
  return { hash, hashed: body.subarray(0, hashedEnd), trailer, value }
}

/**
 * Throws unless `signature` is the signer's detached signature of `file`. The fingerprint identifies the signer; the
 * expiry date of the embedded key is ignored, because AWS extends it every year.
 */
export async function assertSigned(file: string, signature: Buffer, signer: Signer): Promise<void> {
  const key = rsaKey(signer)
  const { hash, hashed, trailer, value } = readSignature(signature)
  const verify = createVerify(hash)
  for await (const chunk of createReadStream(file)) verify.update(chunk as Buffer)
  const size = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  const padded = Buffer.concat([Buffer.alloc(Math.max(0, size - value.length)), value])
  if (!verify.update(hashed).update(trailer).verify(key, padded)) {
    throw new Error(`it is not a signature of this file by ${signer.fingerprint}`)
  }
}
