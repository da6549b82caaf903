import { parseIdentities } from '../encryption/identities.ts'
import { parseRecipients } from '../encryption/recipients.ts'
import type { Environment } from '../process/environment.ts'
import type { Reader } from './reader.ts'

/** The inputs of encryption. */
export type EncryptionInputs = Readonly<{
  /** The recipients of age that a dump is encrypted to; empty if it is not encrypted. */
  encryptTo: readonly string[]
  /** The secret keys of age that open encrypted dumps. */
  ageIdentity: readonly string[]
}>

/** Reads the inputs of encryption. A relative path in `encrypt-to` starts in the workspace. */
export function readEncryption(reader: Reader, environment: Environment): EncryptionInputs {
  const workspace = environment.GITHUB_WORKSPACE || '.'
  return {
    encryptTo: reader.read('encrypt-to', (text) => parseRecipients(text, workspace), []),
    ageIdentity: reader.read('age-identity', parseIdentities, []),
  }
}
