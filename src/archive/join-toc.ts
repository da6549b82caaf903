import { ArchiveError } from './archive-error.ts'
import { encodingOf, SECTION, TocEntry } from './toc.ts'

/** The archive that holds the data of an entry of the joined archive, and the ID of the entry there. */
type Origin = { part: number; id: number }

/** The entries of the joined archive; `order` lists those with data in the order of their blocks. */
export type JoinedToc = { entries: TocEntry[]; order: { entry: TocEntry; origin: Origin }[] }

type TocOptions = {
  bytesOf: (oid: string) => number
  shared: ReadonlySet<string>
  extensions?: ReadonlyMap<string, string>
  byName?: boolean
}

/**
 * Joins the tables of contents of several dumps of one snapshot. The first dump has everything except the data of some
 * tables; each other dump has the data of some of those tables. Their entries get new IDs and depend on the tables in the
 * first.
 *
 * Blocks must be in the order of their entries, which has to be decided before the first byte of data. The entries are put
 * in the order in which their data will probably be complete, so that all dumps can proceed at the same time.
 *
 * @param bytesOf estimates the bytes of a table's data by the OID of the table
 * @param shared OIDs of the tables whose data is in the other dumps
 * @param extensions the extension of each of these tables that belongs to one, and therefore has no entry of its own
 * @param byName whether the data of the other dumps, which is in the order of names, is put among that of the first by name
 * @throws ArchiveError if the dumps do not belong together
 */
export function joinTocs(
  tocs: readonly (readonly TocEntry[])[],
  { bytesOf, shared, extensions = new Map(), byName = false }: TocOptions,
): JoinedToc {
  const [main = [], ...others] = tocs
  const tables = new Map(main.filter(({ desc }) => desc === 'TABLE').map((entry) => [entry.oid, entry]))
  const byExtension = new Map(
    main.filter(({ desc }) => desc === 'EXTENSION').map((entry) => [entry.tag, entry]),
  )
  const ownerOf = (oid: string) => tables.get(oid) ?? byExtension.get(extensions.get(oid) ?? '')
  const present = new Set(main.filter(isTableData).map(({ oid }) => oid))
  const placed: Placed[] = []
  let lastId = highestId(main)
  for (const [index, toc] of others.entries()) {
    if (encodingOf(toc) !== encodingOf(main)) throw new ArchiveError('two dumps differ in their encoding', 0)
    const own = placeAll(toc.filter(isTableData), index + 1, bytesOf).flatMap((place) => {
      const { oid } = place.entry
      const owner = ownerOf(oid)
      // A filter leaves the table out, so its data is read and discarded.
      if (!owner) return []
      if (present.has(oid)) throw new ArchiveError(`two dumps contain the data of ${place.entry.tag}`, 0)
      present.add(oid)
      lastId += 1
      return [{ ...place, entry: dataOf(owner, place.entry, lastId) }]
    })
    placed.push(...own)
  }
  const lost = [...shared].find((oid) => ownerOf(oid) && !present.has(oid))
  if (lost) throw new ArchiveError(`no dump contains the data of ${ownerOf(lost)!.label}`, 0)
  return arrange(main, placeAll(main, 0, bytesOf), placed, byName)
}

/** Returns the entry of a table's data, with the names of the table. The table of an extension depends on the extension. */
function dataOf(owner: TocEntry, { fields }: TocEntry, dumpId: number): TocEntry {
  const dependencies = [Buffer.from(String(owner.dumpId))]
  if (owner.desc !== 'TABLE') return TocEntry.of({ ...fields, dumpId, dependencies }, owner.decode)
  const { tag, namespace, owner: role } = owner.fields
  return TocEntry.of({ ...fields, dumpId, dependencies, tag, namespace, owner: role }, owner.decode)
}

type Placed = { entry: TocEntry; origin: Origin; complete: number }

/** Whether an entry is that of the data of a table. */
export function isTableData({ desc, hasData }: TocEntry): boolean {
  return desc === 'TABLE DATA' && hasData
}

/** Returns the highest ID. Dependencies count, because a new entry must not be taken for what one refers to. */
function highestId(entries: readonly TocEntry[]): number {
  return entries.reduce((id, entry) => Math.max(id, entry.dumpId, ...entry.dependencies), 0)
}

/** Returns the entries of one dump that have data, each with the bytes that will have been written when it is complete. */
function placeAll(entries: readonly TocEntry[], part: number, bytesOf: (oid: string) => number): Placed[] {
  let complete = 0
  return entries
    .filter(({ hasData }) => hasData)
    .map((entry) => {
      complete += bytesOf(entry.oid)
      return { entry, origin: { part, id: entry.dumpId }, complete }
    })
}

/** Inserts the data of the other dumps into that of the first, which keeps its order because its entries may depend on each other. */
function arrange(
  main: readonly TocEntry[],
  ofMain: Placed[],
  ofOthers: Placed[],
  byName: boolean,
): JoinedToc {
  const waiting = byName ? ofOthers : ofOthers.sort((a, b) => a.complete - b.complete)
  const precedes = (a: Placed, b: Placed) =>
    byName ? compareNames(a.entry, b.entry) < 0 : a.complete <= b.complete
  const places = new Map(ofMain.map((place) => [place.entry, place]))
  const before = main.findIndex(({ section }) => section >= SECTION.data)
  const after = main.findIndex(({ section }) => section >= SECTION.postData)
  const [data, post] = [before, after].map((index) => (index < 0 ? main.length : index)) as [number, number]
  const order: Placed[] = []
  const middle: TocEntry[] = []
  const add = (place: Placed) => {
    order.push(place)
    middle.push(place.entry)
  }
  for (const entry of main.slice(data, post)) {
    const place = places.get(entry)
    while (place && waiting.length > 0 && precedes(waiting[0]!, place)) add(waiting.shift()!)
    if (place) add(place)
    else middle.push(entry)
  }
  for (const place of waiting) add(place)
  return { entries: [...main.slice(0, data), ...middle, ...main.slice(post)], order }
}

/** Compares entries by schema and name, in the order of pg_dump (`DOTypeNameCompare` in pg_dump_sort.c). */
function compareNames(a: TocEntry, b: TocEntry): number {
  const [one, other] = [a.fields, b.fields]
  const bytes = (text: Buffer | null) => text ?? Buffer.alloc(0)
  return (
    Buffer.compare(bytes(one.namespace), bytes(other.namespace)) ||
    Buffer.compare(bytes(one.tag), bytes(other.tag))
  )
}
