import type { Stage } from '../process/transfer.ts'
import { openHeader, type Sealed, takeHeader } from './header.ts'
import { decryptPayload, encryptPayload } from './payload.ts'
import { Pieces } from './pieces.ts'

/** Returns a stage that encrypts what passes into one file of age. Memory is bounded by a chunk and a buffer of the source. */
export function encryption({ header, fileKey }: Sealed): Stage {
  return async function* (source) {
    const input = new Pieces(source)
    try {
      yield header
      yield* encryptPayload(input, fileKey)
    } finally {
      await input.close()
    }
  }
}

/** Returns a stage that decrypts a file of age. It throws an EncryptionError when the file is not whole or not for the identities. */
export function decryption(identities: readonly string[]): Stage {
  return async function* (source) {
    const input = new Pieces(source)
    try {
      const header = await takeHeader(input)
      yield* decryptPayload(input, await openHeader(header, identities))
    } finally {
      await input.close()
    }
  }
}
