import { EncryptionError, NoMatchError } from '../encryption/encryption-error.ts'
import { headerOf, MAX_HEADER_BYTES, noHeader, openHeader } from '../encryption/header.ts'
import { recipientsOf } from '../encryption/identities.ts'
import { shortRecipient } from '../encryption/recipients.ts'
import type { Chosen } from '../storage/choose-dump.ts'
import type { Storage } from '../storage/storage.ts'

/**
 * Checks that the identities open the header of an encrypted dump, so that a restore without the right key ends before it
 * has begun.
 *
 * @throws an Error that says which key is missing, or that the header is damaged
 */
export async function checkIdentity(
  storage: Storage,
  { key, manifest }: Chosen,
  identities: readonly string[],
): Promise<void> {
  const recipients = manifest?.encryption?.recipients ?? []
  if (identities.length === 0)
    throw new Error(
      `${key} is encrypted${toWhom(recipients)}, and age-identity is missing; set it to the secret key (AGE-SECRET-KEY-1…) of a recipient`,
    )
  const beginning = (await storage.readBeginning(key, MAX_HEADER_BYTES)) ?? Buffer.alloc(0)
  try {
    const header = headerOf(beginning)
    if (!header) throw noHeader(beginning)
    await openHeader(header, identities)
  } catch (error) {
    throw error instanceof EncryptionError ? await explain(error, key, { recipients, identities }) : error
  }
}

type Keys = { recipients: readonly string[]; identities: readonly string[] }

/** A header that does not match although its recipient has the key is a changed one. */
async function explain(
  error: EncryptionError,
  key: string,
  { recipients, identities }: Keys,
): Promise<Error> {
  const own = await recipientsOf(identities)
  if (!(error instanceof NoMatchError) || own.some((recipient) => recipients.includes(recipient)))
    return new Error(`${key} is damaged: ${error.message}; use another dump`, { cause: error })
  return new Error(
    `age-identity belongs to ${own.map(shortRecipient).join(', ')} and does not open ${key}, which is encrypted${toWhom(recipients)} (${error.message}); set it to the secret key of a recipient`,
    { cause: error },
  )
}

function toWhom(recipients: readonly string[]): string {
  return recipients.length === 0 ? '' : ` to ${recipients.map(shortRecipient).join(', ')}`
}
