import type { Source } from '../process/transfer.ts'
import type { Storage } from './storage.ts'

/**
 * A download that begins before it is known whether its dump is the right one, because the AWS CLI takes most of a second to
 * start. The end of the scope ends one that was begun in vain.
 */
export class EarlyDownload implements AsyncDisposable {
  readonly #storage: Storage
  #begun: { key: string; source: Promise<Source> } | null = null

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /** Begins the download of the dump that is probably the right one. */
  begin(key: string): void {
    const source = this.#storage.download(key).then((opened) => {
      // The reader of the stream gets the error too.
      opened.stream.on('error', () => undefined)
      return opened
    })
    // An error shows again when the dump is opened.
    source.catch(() => undefined)
    this.#begun = { key, source }
  }

  /** Ends the download unless it is of this dump. */
  async keep(key: string): Promise<void> {
    if (this.#begun?.key !== key) await this[Symbol.asyncDispose]()
  }

  /** Returns the download of a dump: the first time the one that was begun, if it is of this dump, and otherwise a new one. */
  async open(key: string): Promise<Source> {
    await this.keep(key)
    const begun = this.#begun
    this.#begun = null
    return begun ? begun.source : this.#storage.download(key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const begun = this.#begun
    this.#begun = null
    await begun?.source.then(
      (source) => source.abort(),
      () => undefined,
    )
  }
}
