import { ArchiveError } from './archive-error.ts'
import { SECTION, TocEntry } from './toc.ts'

/** An entry of the joined archive: which of the archives holds its data, and its ID there. */
type Origin = { part: number; id: number }

/** The entries of the joined archive; `order` are those with data, as their blocks have to follow each other. */
export type JoinedToc = { entries: TocEntry[]; order: { entry: TocEntry; origin: Origin }[] }

/**
 * One table of contents from those of several dumps of one snapshot: the first has everything but the data of some
 * tables, each other one has the data of such tables. They get new IDs, and depend on their tables in the first.
 *
 * Blocks must be in the order of their entries, and that order is decided before the first byte of data: so that all
 * dumps get on at once, the data are put in the order in which they will probably be complete.
 *
 * @param bytesOf about how much data a table has, by its OID
 * @param shared OIDs of the tables whose data the first dump leaves to the others
 * @throws ArchiveError when the dumps do not belong together
 */
export function joinTocs(
  tocs: readonly (readonly TocEntry[])[],
  { bytesOf, shared }: { bytesOf: (oid: string) => number; shared: ReadonlySet<string> },
): JoinedToc {
  const [main = [], ...others] = tocs
  const tables = new Map(main.filter(({ desc }) => desc === 'TABLE').map((entry) => [entry.oid, entry]))
  const present = new Set(main.filter(isTableData).map(({ oid }) => oid))
  const placed: Placed[] = []
  let lastId = highestId(main)
  for (const [index, toc] of others.entries()) {
    const own = placeAll(toc.filter(isTableData), index + 1, bytesOf).flatMap((place) => {
      const { oid, fields } = place.entry
      const table = tables.get(oid)
      // A filter leaves the table out; its data are read and thrown away.
      if (!table) return []
      if (present.has(oid)) throw new ArchiveError(`two dumps hold the data of ${place.entry.tag}`, 0)
      present.add(oid)
      lastId += 1
      const dependencies = [Buffer.from(String(table.dumpId))]
      return [{ ...place, entry: new TocEntry({ ...fields, dumpId: lastId, dependencies }) }]
    })
    placed.push(...own)
  }
  const lost = [...shared].map((oid) => tables.get(oid)).find((table) => table && !present.has(table.oid))
  if (lost) throw new ArchiveError(`no dump holds the data of ${lost.namespace}.${lost.tag}`, 0)
  return arrange(main, placeAll(main, 0, bytesOf), placed)
}

type Placed = { entry: TocEntry; origin: Origin; complete: number }

function isTableData({ desc, hasData }: TocEntry): boolean {
  return desc === 'TABLE DATA' && hasData
}

/** IDs that are only named, as dependencies, count as well: a new entry must not be taken for what they mean. */
function highestId(entries: readonly TocEntry[]): number {
  return entries.reduce((id, entry) => Math.max(id, entry.dumpId, ...entry.dependencies), 0)
}

/** The entries with data of one dump, with how many bytes it will have written when each is complete. */
function placeAll(entries: readonly TocEntry[], part: number, bytesOf: (oid: string) => number): Placed[] {
  let complete = 0
  return entries
    .filter(({ hasData }) => hasData)
    .map((entry) => {
      complete += bytesOf(entry.oid)
      return { entry, origin: { part, id: entry.dumpId }, complete }
    })
}

/** The data of the other dumps among those of the first, which keeps its order: some of its entries need others. */
function arrange(main: readonly TocEntry[], ofMain: Placed[], ofOthers: Placed[]): JoinedToc {
  const waiting = ofOthers.sort((a, b) => a.complete - b.complete)
  const places = new Map(ofMain.map((place) => [place.entry, place]))
  const before = main.findIndex(({ fields }) => fields.section >= SECTION.data)
  const after = main.findIndex(({ fields }) => fields.section >= SECTION.postData)
  const [data, post] = [before, after].map((index) => (index < 0 ? main.length : index)) as [number, number]
  const order: Placed[] = []
  const middle: TocEntry[] = []
  const add = (place: Placed) => {
    order.push(place)
    middle.push(place.entry)
  }
  for (const entry of main.slice(data, post)) {
    const place = places.get(entry)
    while (place && waiting.length > 0 && waiting[0]!.complete <= place.complete) add(waiting.shift()!)
    if (place) add(place)
    else middle.push(entry)
  }
  for (const place of waiting) add(place)
  return { entries: [...main.slice(0, data), ...middle, ...main.slice(post)], order }
}
