import { TocEntry } from '../../src/archive/archive.ts'

let reads = 0

/** An entry whose fields count how often they are read. */
class CountedEntry extends TocEntry {
  override get oid(): string {
    reads++
    return super.oid
  }
  override get tag(): string {
    reads++
    return super.tag
  }
  override get namespace(): string {
    reads++
    return super.namespace
  }
  override get dependencies(): number[] {
    reads++
    return super.dependencies
  }
}

/** Returns how many fields of the entries `work` reads, to tell work that grows with their number from work that grows faster. */
export async function readsOf(
  entries: readonly TocEntry[],
  work: (counted: readonly TocEntry[]) => unknown,
): Promise<number> {
  const counted = entries.map((entry) => Object.setPrototypeOf(entry, CountedEntry.prototype))
  reads = 0
  await work(counted)
  return reads
}
