/** A malformed, incomplete or unreadable archive. `offset` is the byte of the input at which it was noticed. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly offset: number

  constructor(message: string, offset: number, options?: ErrorOptions) {
    super(`${message} (at byte ${offset} of the archive)`, options)
    this.offset = offset
  }
}
