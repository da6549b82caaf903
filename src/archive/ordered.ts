/** A result or the promise of one. It is wrapped in an object, because an async generator awaits a bare promise. */
export type Task<T> = { result: T | Promise<T> }

/**
 * Returns the results of `tasks` in their order. Up to `limit` promises are pending at the same time, and at most four
 * times as many results are queued. When it ends early, through an error or because the reader stops, it waits for the
 * pending promises, so that no work outlives it.
 */
export async function* ordered<T>(tasks: AsyncIterable<Task<T>>, limit: number): AsyncGenerator<T> {
  const queue: (T | Promise<T>)[] = []
  let promised = 0
  try {
    for await (const { result } of tasks) {
      queue.push(result)
      if (result instanceof Promise) {
        promised++
        result.catch(() => {}) // reported when its turn comes
      }
      while (
        queue.length > 0 &&
        (promised >= limit || queue.length > 4 * limit || !(queue[0] instanceof Promise))
      ) {
        const next = queue.shift()!
        if (next instanceof Promise) promised--
        yield await next
      }
    }
    while (queue.length > 0) yield await queue.shift()!
  } finally {
    await Promise.allSettled(queue)
  }
}
