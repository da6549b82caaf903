import type { DatabaseRow } from './databases.ts'
import { hasTemporaryName, relatedName } from './names.ts'

type Named = Pick<DatabaseRow, 'name' | 'marker'>

/** The suffixes of the restore points that `reversible` keeps. */
export const POINTS = ['pre', 'post'] as const

/**
 * Whether this action made a live database under its present name, so that it may replace and drop it. A database that
 * was renamed since has been put to a use of its own.
 */
export function isClone({ name, marker }: Named): boolean {
  return marker?.kind === 'clone' && marker.of === name
}

/** Whether a database is a restore point of `target`. A run that is killed right after the swap leaves its temporary name. */
export function isPointOf({ name, marker }: Named, target: string): boolean {
  if (marker?.kind !== 'point' || marker.of !== target) return false
  return hasTemporaryName(name) || POINTS.some((suffix) => name === relatedName(target, suffix))
}

/** Whether a database is a restore point of any database. */
export function isPoint(database: Named): boolean {
  return database.marker !== null && isPointOf(database, database.marker.of)
}

/** Whether a database was being built or replaced by a run of this action. */
export function isTemporary({ name, marker }: Named): boolean {
  return marker !== null && ['staging', 'old'].includes(marker.kind) && hasTemporaryName(name)
}
