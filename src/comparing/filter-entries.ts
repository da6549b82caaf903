import type { TocEntry } from '../archive/archive.ts'
import { patternParts } from '../database/connection/name-pattern.ts'

/** Patterns of `pg_dump` that choose schemas and tables. */
export type SchemaFilters = {
  tables?: readonly string[]
  excludeTables?: readonly string[]
  schemas?: readonly string[]
  excludeSchemas?: readonly string[]
}

const RELATION = /^(TABLE|VIEW|MATERIALIZED VIEW|SEQUENCE|FOREIGN TABLE)$/
/** Parts of a table whose tag begins with its name; they may depend on other tables too, as a foreign key does. */
const NAMED_AFTER_TABLE = /^(CONSTRAINT|CHECK CONSTRAINT|FK CONSTRAINT|DEFAULT|TRIGGER|RULE|POLICY)$/
/** Parts of a table that depend on it and on no other table. */
const PART =
  /^(INDEX|STATISTICS|ROW SECURITY|SEQUENCE|SEQUENCE OWNED BY|TABLE ATTACH|INDEX ATTACH|PUBLICATION TABLE|ACL)$/

/**
 * Chooses the entries that the filters choose. `pg_dump` asks the server for that; here both sides are chosen by their
 * tables of contents, so that they are chosen in the same way. A pattern without a schema matches in every schema, and
 * partitions and inheriting tables belong to their table.
 */
export function filterEntries(entries: readonly TocEntry[], filters: SchemaFilters): readonly TocEntry[] {
  const { tables = [], excludeTables = [], schemas = [], excludeSchemas = [] } = filters
  const inSchema = schemaTest(schemas)
  const outsideOf = schemaTest(excludeSchemas)
  const included = tablesOf(entries, tables)
  const excluded = tablesOf(entries, excludeTables)
  const chooses = tables.length + schemas.length > 0
  return entries.filter(
    (entry) =>
      !outsideOf(entry) && !excluded.has(entry) && (!chooses || inSchema(entry) || included.has(entry)),
  )
}

/** Returns whether an entry is one of the schemas, or in one. */
function schemaTest(patterns: readonly string[]): (entry: TocEntry) => boolean {
  const tests = patterns.map((pattern) => testOf(patternParts(pattern).at(-1)!, pattern))
  return ({ desc, namespace, tag }) => {
    const schema = desc === 'SCHEMA' ? tag : namespace
    return schema !== '' && tests.some((test) => test(schema))
  }
}

/** Returns the entries of the relations that the patterns match, with all their parts. */
function tablesOf(entries: readonly TocEntry[], patterns: readonly string[]): ReadonlySet<TocEntry> {
  const chosen = new Set<TocEntry>()
  if (patterns.length === 0) return chosen
  const tests = patterns.map(relationTest)
  const ids = new Map<number, TocEntry>()
  const add = (entry: TocEntry) => {
    chosen.add(entry)
    ids.set(entry.dumpId, entry)
  }
  for (const entry of entries) if (RELATION.test(entry.desc) && tests.some((test) => test(entry))) add(entry)
  // Parts have parts, such as an index of a partition.
  for (let size = -1; size < chosen.size; ) {
    size = chosen.size
    for (const entry of entries) if (!chosen.has(entry) && isPart(entry, ids)) add(entry)
    const named = namedByLinks(chosen)
    for (const entry of entries)
      if (RELATION.test(entry.desc) && named.get(entry.dumpId) === entry.tag) add(entry)
  }
  return chosen
}

/** Entries that make one relation a part of another depend on both, and have the name of the part. */
const LINK = /^(SEQUENCE OWNED BY|TABLE ATTACH)$/

/** Returns what the links among the entries depend on, with the name of the part. */
function namedByLinks(entries: ReadonlySet<TocEntry>): ReadonlyMap<number, string> {
  const links = [...entries].filter(({ desc }) => LINK.test(desc))
  return new Map(links.flatMap(({ dependencies, tag }) => dependencies.map((id) => [id, tag] as const)))
}

function isPart(entry: TocEntry, ids: ReadonlyMap<number, TocEntry>): boolean {
  const owners = entry.dependencies.flatMap((id) => ids.get(id) ?? [])
  if (NAMED_AFTER_TABLE.test(entry.desc))
    return owners.some(
      ({ tag, namespace }) => namespace === entry.namespace && entry.tag.startsWith(`${tag} `),
    )
  if (PART.test(entry.desc)) return owners.length > 0
  // A table depends on another one because it inherits from it.
  return entry.desc === 'TABLE' && owners.some(({ desc }) => desc === 'TABLE')
}

function relationTest(pattern: string): (entry: TocEntry) => boolean {
  const parts = patternParts(pattern)
  const name = testOf(parts.pop()!, pattern)
  const schemaPart = parts.pop()
  const schema = schemaPart === undefined ? () => true : testOf(schemaPart, pattern)
  return ({ namespace, tag }) => name(tag) && schema(namespace)
}

function testOf(part: string, pattern: string): (name: string) => boolean {
  try {
    const expression = new RegExp(part, 'u')
    return (name) => expression.test(name)
  } catch (error) {
    throw new Error(`The pattern ${pattern} is not valid; see "Patterns" in the documentation of psql`, {
      cause: error,
    })
  }
}
