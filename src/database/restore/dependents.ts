import type { TocEntry } from '../../archive/archive.ts'

/** Finds the entries that depend on another one. The index is made once, because an archive may have a million entries. */
export class Dependents {
  readonly #entries: readonly TocEntry[]
  #index: ReadonlyMap<number, readonly TocEntry[]> | null = null

  constructor(entries: readonly TocEntry[]) {
    this.#entries = entries
  }

  /** Returns the entries that name this ID among their dependencies, in the order of the archive. */
  of(dumpId: number): readonly TocEntry[] {
    this.#index ??= indexOf(this.#entries)
    return this.#index.get(dumpId) ?? []
  }
}

function indexOf(entries: readonly TocEntry[]): Map<number, TocEntry[]> {
  const index = new Map<number, TocEntry[]>()
  for (const entry of entries) {
    for (const id of entry.dependencies) {
      const dependents = index.get(id)
      if (dependents) dependents.push(entry)
      else index.set(id, [entry])
    }
  }
  return index
}
