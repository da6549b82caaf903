/** Encrypted data that is damaged, or that the given identities do not open. The message completes "<key> is damaged: …". */
export class EncryptionError extends Error {
  override readonly name = 'EncryptionError'
}

/** None of the identities belongs to a recipient of the file. */
export class NoMatchError extends EncryptionError {}
