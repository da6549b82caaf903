import { Decrypter, Encrypter } from 'age-encryption'
import { messageOf } from '../errors.ts'
import { EncryptionError, NoMatchError } from './encryption-error.ts'
import type { Pieces } from './pieces.ts'
import { shortRecipient } from './recipients.ts'

/** A header of the action is never longer. It holds 400 X25519 recipients, or 30 post-quantum ones. */
export const MAX_HEADER_BYTES = 64 * 1024

/** What a file of no bytes has after its header: the nonce of the payload, and one chunk that is only its tag. */
const EMPTY_PAYLOAD_BYTES = 16 + 16

const FIRST_LINE = 'age-encryption.org/v1\n'
const ARMOR = '-----BEGIN AGE ENCRYPTED FILE-----'

/** A header, and the file key that it wraps for its recipients. */
export type Sealed = { header: Buffer; fileKey: Uint8Array }

/**
 * Makes a new file key and the header that wraps it for each recipient. The library makes both for a file of no bytes, and
 * passes the key to each recipient, so one that wraps nothing learns it.
 *
 * @throws an Error that names the input
 */
export async function sealHeader(recipients: readonly string[]): Promise<Sealed> {
  let fileKey = new Uint8Array()
  const encrypter = new Encrypter()
  encrypter.addRecipient({
    wrapFileKey: (key) => {
      fileKey = Uint8Array.from(key)
      return []
    },
  })
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  const file = await encrypter.encrypt(new Uint8Array()).catch((error) => {
    throw new Error(
      `Input encrypt-to has a recipient that nothing can be encrypted to (${recipients.map(shortRecipient).join(', ')}): ${messageOf(error)}; make a new key with age-keygen`,
      { cause: error },
    )
  })
  const header = Buffer.from(file.subarray(0, file.length - EMPTY_PAYLOAD_BYTES))
  if (header.length > MAX_HEADER_BYTES)
    throw new Error(
      `Input encrypt-to has ${recipients.length} recipients, more than fit into the header of a dump; give fewer`,
    )
  return { header, fileKey }
}

/** Returns the header at the beginning of a file, or null when more bytes are needed to see its end. */
export function headerOf(beginning: Buffer): Buffer | null {
  const possible = beginning.subarray(0, MAX_HEADER_BYTES)
  const line = possible.indexOf('\n--- ')
  const end = line < 0 ? -1 : possible.indexOf('\n', line + 1)
  return end < 0 ? null : possible.subarray(0, end + 1)
}

/** Takes the header from the beginning of a stream. @throws an EncryptionError when there is none */
export async function takeHeader(input: Pieces): Promise<Buffer> {
  for (;;) {
    const beginning = input.peek()
    const header = headerOf(beginning)
    if (header) return Buffer.concat(input.take(header.length))
    if (beginning.length >= MAX_HEADER_BYTES || !(await input.fill(beginning.length + 1)))
      throw noHeader(beginning)
  }
}

/** Explains why a file has no header that can be read. */
export function noHeader(beginning: Buffer): EncryptionError {
  const starts = (text: string) => beginning.subarray(0, text.length).toString('latin1') === text
  if (starts(ARMOR))
    return new EncryptionError(
      'it is armored, and this action reads the binary form; encrypt it again without --armor',
    )
  if (starts('PGDMP'))
    return new EncryptionError('it is an archive that is not encrypted, although its name ends in .age')
  if (!starts(FIRST_LINE) && beginning.length >= FIRST_LINE.length)
    return new EncryptionError('it does not begin as a file of age')
  return new EncryptionError('the encrypted data ends inside its header, or the header was changed')
}

/**
 * Returns the file key of a header.
 *
 * @throws a NoMatchError when no identity opens it, and another EncryptionError when it is damaged
 */
export async function openHeader(header: Buffer, identities: readonly string[]): Promise<Uint8Array> {
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity)
  try {
    return await decrypter.decryptHeader(header)
  } catch (error) {
    const reason = messageOf(error)
    if (/no identity matched/.test(reason)) throw new NoMatchError(otherKeys(header), { cause: error })
    throw new EncryptionError(`its header was changed (${reason})`, { cause: error })
  }
}

/** Describes what opens a header that identities do not open. */
function otherKeys(header: Buffer): string {
  const kinds = [...header.toString('latin1').matchAll(/^-> (\S+)/gm)].map(([, kind]) => kind!)
  if (kinds.includes('scrypt')) return 'it is encrypted with a passphrase, which this action does not take'
  const other = kinds.find(
    (kind) => !['X25519', 'mlkem768x25519'].includes(kind) && !kind.endsWith('-grease'),
  )
  return other
    ? `no identity opens it; it is also encrypted to a key of the kind ${JSON.stringify(other.slice(0, 40))}, which this action does not take`
    : 'no identity opens it'
}
