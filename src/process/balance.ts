/**
 * Shares work evenly among jobs: items are assigned from the largest to the smallest, each to the job that has the least.
 *
 * @returns the items of each job, largest first, and the sum of their sizes
 */
export function shareEvenly<Item>(
  items: readonly Item[],
  sizeOf: (item: Item) => number,
  jobs: number,
): { items: Item[]; size: number }[] {
  const shares = Array.from({ length: jobs }, () => ({ items: [] as Item[], size: 0 }))
  for (const item of [...items].sort((a, b) => sizeOf(b) - sizeOf(a))) {
    const lightest = shares.reduce((least, share) => (share.size < least.size ? share : least))
    lightest.items.push(item)
    lightest.size += sizeOf(item)
  }
  return shares
}
