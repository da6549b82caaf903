import { type DumpKey, keyPart } from './keys.ts'

/**
 * The true names of a dumped database. The parts of a key are a lossy form of them (`shop.eu` and `shop_eu` share keys),
 * and two servers may each have a database of the same name.
 */
export type Source = {
  instance: string
  /** As in the connection, without the port. */
  host: string
  database: string
  config: string
}

/** A dump and its true names. Earlier releases did not store them: such a dump belongs to the series of its key. */
export type Named = Readonly<{ key: DumpKey; source?: Source | undefined }>

/** Which dumps a command means: the input `dump-key` unless it is a full key, and `instance` and `config` if given. */
export type Selection = Readonly<{ reference: string; instance: string; config: string }>

/** Returns the true names in a manifest. After a copy to other keys by hand, the parts of the key are the names. */
export function sourceOf({
  source,
  ...key
}: Omit<DumpKey, 'createdAt'> & { source?: Source }): Source | undefined {
  if (!source) return undefined
  const nameOf = (part: 'instance' | 'database' | 'config') =>
    (keyPart(source[part]) || '_') === key[part] ? source[part] : key[part]
  return {
    instance: nameOf('instance'),
    host: source.host,
    database: nameOf('database'),
    config: nameOf('config'),
  }
}

/** Returns the folder of a dump. Its dumps are of one database unless several databases share their keys. */
export function groupOf({ instance, database, config }: Omit<DumpKey, 'key' | 'createdAt'>): string {
  return `${instance}/${database}/${config}`
}

/** The dumps that a command works on: a folder, narrowed by what keys say and then by what manifests say. */
export type Scope = {
  folder: string
  /** Whether a dump with this key may belong to the scope. */
  mayFit(key: DumpKey): boolean
  /** Returns the series of the scope, each with its dumps in the given order. */
  select<Dump extends Named>(dumps: readonly Dump[]): Dump[][]
}

/** Returns the scope that inputs describe. */
export function scopeOf(selection: Selection): Scope {
  const { reference, instance, config } = selection
  const isWanted = (wanted: string, part: string) => wanted === '' || keyPart(wanted) === part
  return {
    folder: folderOf(reference),
    mayFit: (key) => isWanted(instance, key.instance) && isWanted(config, key.config),
    select: (dumps) => groupBySeries(dumps).filter((series) => series.some((dump) => fits(dump, selection))),
  }
}

/** Returns the scope of one stored dump's own series. */
export function seriesOf(dump: Omit<DumpKey, 'createdAt'>): Scope {
  return {
    folder: groupOf(dump),
    mayFit: () => true,
    select: (dumps) =>
      groupBySeries(dumps).filter((series) => series.some(({ key }) => key.key === dump.key)),
  }
}

/** Returns the deepest folder that holds everything that a reference covers. */
function folderOf(reference: string): string {
  const parts = partsOf(reference)
  // A part with an @ may be a name or a name with its host, and the two lead to different folders.
  const unclear = parts.findIndex((part) => part.includes('@'))
  return parts
    .slice(0, unclear < 0 ? parts.length : unclear)
    .map(keyPart)
    .join('/')
}

function partsOf(reference: string): string[] {
  return reference === 'latest' ? [] : reference.split('/').filter(Boolean)
}

function fits({ key, source }: Named, { reference, instance, config }: Selection): boolean {
  const [first, database, third] = partsOf(reference)
  const hasName = (part: 'instance' | 'config', wanted = '') =>
    wanted === '' || (source ? wanted === source[part] : keyPart(wanted) === key[part])
  const databases = source ? [source.database, `${source.database}@${source.host}`] : [key.database]
  return (
    (database === undefined || databases.includes(database)) &&
    [first, instance].every((wanted) => hasName('instance', wanted)) &&
    [third, config].every((wanted) => hasName('config', wanted))
  )
}

/**
 * Groups dumps by the database and config that they are of. A dump without true names joins the only series of its folder
 * whose database and config have the very names of its key.
 */
export function groupBySeries<Dump extends Named>(dumps: readonly Dump[]): Dump[][] {
  return [...Map.groupBy(dumps, ({ key }) => groupOf(key)).values()].flatMap(groupInFolder)
}

function groupInFolder<Dump extends Named>(dumps: readonly Dump[]): Dump[][] {
  const homes = new Set(
    dumps.flatMap(({ key, source }) =>
      source?.database === key.database && source.config === key.config ? [identify(source)] : [],
    ),
  )
  const [home = ''] = homes.size === 1 ? homes : []
  return [...Map.groupBy(dumps, ({ source }) => (source ? identify(source) : home)).values()]
}

function identify({ instance, host, database, config }: Source): string {
  return JSON.stringify([instance, host, database, config])
}

/** Names each series as `dump-key` takes it, with the host where the other names do not tell them apart. */
export function nameSeries(series: readonly (readonly Named[])[]): string[] {
  const short = series.map(([dump]) => groupOf(dump!.source ?? dump!.key))
  const isUnique = (name: string) => short.filter((other) => other === name).length === 1
  return series.map(([dump], index) => {
    const { key, source } = dump!
    if (!source || isUnique(short[index]!)) return short[index]!
    return groupOf({ ...key, ...source, database: `${source.database}@${source.host}` })
  })
}
