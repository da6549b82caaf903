import type { TocEntry } from '../archive/archive.ts'
import type { MaskPlan } from './plan.ts'

/**
 * Returns options of `pg_dump` for what a masked dump leaves out besides rows: large objects, whose content nothing can
 * mask, and subscriptions, whose connection strings have passwords. No version has an option for user mappings.
 *
 * @param schemaOnly whether only definitions are dumped; otherwise large objects are kept in a dump of chosen tables, too
 */
export function leaveOutArguments(
  { keepsLargeObjects }: Pick<MaskPlan, 'keepsLargeObjects'>,
  schemaOnly: boolean,
): string[] {
  // PostgreSQL 16 calls them --no-large-objects and --large-objects. The short forms are the same in all versions.
  return [keepsLargeObjects && !schemaOnly ? '-b' : '-B', '--no-subscriptions']
}

const SECRET = /^(USER MAPPING|SUBSCRIPTION)\b/

/**
 * Whether a masked dump leaves out an entry of the table of contents: user mappings and subscriptions with everything
 * attached to them, because of their passwords, and statistics, which contain values of columns.
 */
export function isLeftOut({ desc, tag }: Pick<TocEntry, 'desc' | 'tag'>): boolean {
  const attached = /^(COMMENT|ACL|SECURITY LABEL)$/.test(desc) && SECRET.test(tag)
  return attached || SECRET.test(desc) || desc === 'STATISTICS DATA'
}
