/** Names in an archive may hold them, and an error is one line. */
const CONTROL_CHARACTER = /[\u0000-\u001f]/g

/** A malformed, incomplete or unreadable archive. `offset` is the byte of the input at which it was noticed. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly offset: number

  constructor(message: string, offset: number, options?: ErrorOptions) {
    const line = message.replace(CONTROL_CHARACTER, (character) => JSON.stringify(character).slice(1, -1))
    super(`${line} (at byte ${offset} of the archive)`, options)
    this.offset = offset
  }
}
