import { messageOf } from '../errors.ts'
/** Renews something that expires, until it is disposed of. */
export class Renewal implements Disposable {
  readonly #renew: () => Promise<void>
  readonly #onFailure: (reason: string) => void
  readonly #retryDelayMs: number
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /**
   * @param renew   calls `after` when it has succeeded
   * @param options `onFailure` is called with the reason of each failure, after which `retryDelayMs` pass
   */
  constructor(
    renew: () => Promise<void>,
    options: { onFailure: (reason: string) => void; retryDelayMs: number },
  ) {
    this.#renew = renew
    this.#onFailure = options.onFailure
    this.#retryDelayMs = options.retryDelayMs
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Plans the next renewal. */
  after(milliseconds: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#now(), milliseconds)
    this.#timer.unref()
  }

  async #now(): Promise<void> {
    try {
      await this.#renew()
    } catch (error) {
      this.#onFailure(messageOf(error))
      this.after(this.#retryDelayMs)
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }
}
