/**
 * Waits for several pieces of work that run side by side. Unlike `Promise.all`, it waits for the others when one has failed,
 * so that none is left running, and the order of the pieces decides which error is thrown.
 */
export async function allOf<const Work extends readonly unknown[]>(
  work: Work,
): Promise<{ -readonly [Index in keyof Work]: Awaited<Work[Index]> }> {
  const results = await Promise.allSettled(work)
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as {
    -readonly [Index in keyof Work]: Awaited<Work[Index]>
  }
}
