import { compareSchemas, type Difference } from '../comparing/compare-schemas.ts'
import { filterEntries, type SchemaFilters } from '../comparing/filter-entries.ts'
import { objectsOf, type SchemaObject } from '../comparing/schema-objects.ts'
import { relationName } from '../relation.ts'
import { formatNames, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { filtersOf, readSchemas, type Schema, warnOfVersions } from '../restoring/read-schema.ts'
import type { Step } from '../step/step.ts'
import { parseDumpKey } from '../storage/keys.ts'
import { diffSummary } from '../summary/diff-summary.ts'
import type { Outcome } from '../summary/outcome.ts'

/** Compares the schema of a database with that of a stored dump or of another database, object by object. */
export async function diff(step: Step): Promise<Outcome> {
  await using scope = new AsyncDisposableStack()
  const { before, after } = await step.retry(() =>
    log.group('Read the schemas', () => readSchemas(step, scope)),
  )
  warnOfVersions(before, after)
  const read = (schema: Schema) => chooseObjects(step, schema, filtersOf(before))
  const [old, now] = [read(before), read(after)]
  const differences = compareSchemas(old, now)
  for (const { change, ...object } of differences) log.info(`${change}: ${labelOf(object)}`)
  log.info(`${formatQuantity(differences.length, 'difference')} in ${formatQuantity(now.length, 'object')}`)
  return describeDiff(step, { before, after, differences, objects: now.length })
}

/** Returns the objects that the filters of the dump and those of the step choose. */
function chooseObjects(step: Step, { entries }: Schema, ofDump: SchemaFilters): SchemaObject[] {
  const chosen = filterEntries(filterEntries(entries, ofDump), step.inputs)
  return objectsOf(chosen, step.inputs)
}

/** Most objects that the error names. */
const MAX_NAMED = 5

function describeDiff(
  step: Step,
  found: { before: Schema; after: Schema; differences: readonly Difference[]; objects: number },
): Outcome {
  const { before, after, differences } = found
  const changed = differences.length > 0
  const dump = before.dump?.chosen
  const names = differences.map(({ change, ...object }) => `${change} ${labelOf(object)}`)
  const withoutText = differences.map(({ diff: _, ...difference }) => difference)
  return {
    outputs: {
      changed: String(changed),
      differences: { whole: JSON.stringify(differences), shorter: JSON.stringify(withoutText) },
      ...(dump ? { 'dump-key': dump.key, 'created-at': parseDumpKey(dump.key)?.createdAt ?? '' } : {}),
      'server-version': after.versions?.server ?? '',
    },
    summary: [diffSummary({ ...found, before: before.label, after: after.label, ...step.effort })],
    failure:
      changed && step.inputs.failOnDiff
        ? `The schema of ${after.label} differs from that of ${before.label} in ${formatQuantity(differences.length, 'object')}: ${formatNames(names, MAX_NAMED)}; make them alike, or set fail-on-diff: false`
        : null,
  }
}

function labelOf({ type, schema, name }: Pick<Difference, 'type' | 'schema' | 'name'>): string {
  return `${type} ${schema === '' ? name : relationName({ schema, name })}`
}
