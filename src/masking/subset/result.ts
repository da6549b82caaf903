import type { Relation } from '../../relation.ts'
import type { Counts } from './compute.ts'

/** A table of which some rows may be left out. */
export type FilteredTable = Relation &
  Omit<Counts, 'parts'> & {
    bytes: number
    /** Where a kept row may refer to, for the reason of those that are left out. */
    targets: readonly string[]
    /** For each part with rows in the dump, the condition of its rows that stay, in the session of the computation. */
    parts: readonly (Relation & { oid: string; before: number; condition: string })[]
  }

/** The rows that a dump contains. */
export type Subset = {
  filtered: readonly FilteredTable[]
  /** Tables that stay whole, because they refer to nothing that is restricted. */
  whole: readonly (Relation & { bytes: number })[]
  /** References of kept rows to rows that the source does not have. */
  dangling: readonly { link: string; rows: number }[]
}
