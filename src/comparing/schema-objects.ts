import type { TocEntry } from '../archive/archive.ts'
import { isSchemaObject } from '../database/inspect.ts'

/** An object of a schema as its definition says, without what differs by server or by the order of migrations. */
export type SchemaObject = {
  /** As in a table of contents: `TABLE`, `INDEX`, `FK CONSTRAINT`, … */
  type: string
  schema: string
  name: string
  definition: string
}

/** Owners and grants, which count only with `owner-and-acl`. */
const GRANTS = /^(ACL|DEFAULT ACL)$/

/** Returns the objects of a table of contents, in its order. Comments do not count, nor does what belongs to data. */
export function objectsOf(
  entries: readonly TocEntry[],
  { ownerAndAcl }: { ownerAndAcl: boolean },
): SchemaObject[] {
  const isGrant = ({ desc, tag }: TocEntry) =>
    ownerAndAcl && GRANTS.test(desc) && !tag.startsWith('LARGE OBJECT')
  return entries
    .filter((entry) => isSchemaObject(entry) || isGrant(entry))
    .map((entry) => ({
      type: entry.desc,
      schema: entry.namespace,
      name: entry.tag,
      definition:
        normalised(entry.definition) + (ownerAndAcl && entry.owner ? `\n-- Owner: ${entry.owner}` : ''),
    }))
}

/** Removes spaces at the ends of lines, and spells the character set of a locale in one way: `UTF-8` and `utf8` are the same. */
function normalised(definition: string): string {
  return definition
    .replace(/[ \t]+$/gm, '')
    .replace(/(COLLATE (?:[\w$]+\.)?"[^".]+)\.utf-?8(?=")/gi, '$1.utf8')
    .replace(/((?:locale|lc_collate|lc_ctype) = '[^'.]+)\.utf-?8(?=')/gi, '$1.utf8')
    .trim()
}
