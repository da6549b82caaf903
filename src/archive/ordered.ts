/** Something at hand, or the promise of it. In an object, because an async generator awaits a bare promise. */
export type Task<T> = { result: T | Promise<T> }

/**
 * The results of `tasks` in their order, while up to `limit` promised ones are under way, and no more than four times
 * as many wait their turn. When it ends early, by
 * error or because the reader stops, it waits for the work under way, so that nothing outlives it.
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
