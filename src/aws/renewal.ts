/** Renews something that runs out, for as long as the step lasts. */
export class Renewal implements Disposable {
  readonly #renew: () => Promise<void>
  readonly #onFailure: (reason: string) => void
  readonly #tryAgain: number
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /**
   * @param renew calls `after` when it is done
   * @param options what hears of a failure, and milliseconds until the next try
   */
  constructor(
    renew: () => Promise<void>,
    options: { onFailure: (reason: string) => void; tryAgain: number },
  ) {
    this.#renew = renew
    this.#onFailure = options.onFailure
    this.#tryAgain = options.tryAgain
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
      this.#onFailure((error as Error).message)
      this.after(this.#tryAgain)
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }
}
