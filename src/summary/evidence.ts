/** What a verification has found, as one JSON object that can be filed. */
import type { Manifest, TableRows } from '../storage/manifest.ts'
import { ACTION_VERSION } from '../version.ts'

/** What was restored and compared, all of it with success. */
export type Verified = {
  /** The tables and rows that were restored and counted again, without those that were left out on purpose. */
  restored: { tables: readonly TableRows[]; rows: number | null }
  /** Objects of the schema that were found again. */
  objects: number
  /** Sequences that are not behind their columns. */
  sequences: number
  /** Assertions of `verify-sql` that hold. */
  assertions: number
  serverVersion: string
  clientVersion: string
  /** From the creation of the temporary database until everything was in it. */
  restoreMs: number
  /** ISO 8601, UTC. */
  at: string
}

/** One comparison. */
type Check = { name: string; expected: string | number | null; found: string | number | null; ok: boolean }

type Limits = { maxAge: number | null; maxRestoreTime: number | null }

/** The workflow run that verified, with who or what started it. */
export type EvidenceRun = Manifest['run'] & {
  workflow: string
  event: string
  actor: string
  attempt: string
}

const seconds = (milliseconds: number) => Math.round(milliseconds) / 1000
const secondsOrNull = (milliseconds: number | null) => (milliseconds === null ? null : seconds(milliseconds))

/** Returns the evidence of a verification. Durations are in seconds. */
export function evidenceOf(
  manifest: Manifest,
  verified: Verified,
  { uri, limits, run }: { uri: string; limits: Limits; run: EvidenceRun },
): object {
  const { tables: _, locale: _locale, verified: _verified, version: _version, ...dump } = manifest
  const age = Date.parse(verified.at) - Date.parse(manifest.createdAt)
  const checks = [...comparisons(manifest, verified), ...timeChecks(age, verified.restoreMs, limits)]
  return {
    version: 1,
    result: checks.every(({ ok }) => ok) ? 'passed' : 'failed',
    at: verified.at,
    dump: { ...dump, uri },
    age: seconds(age),
    restoreSeconds: seconds(verified.restoreMs),
    checks,
    counts: {
      tables: verified.restored.tables.length,
      rows: verified.restored.rows,
      objects: verified.objects,
      sequences: verified.sequences,
      assertions: verified.assertions,
    },
    serverVersion: verified.serverVersion,
    clientVersion: verified.clientVersion,
    actionVersion: ACTION_VERSION,
    run,
  }
}

function comparisons(manifest: Manifest, { restored, objects, sequences, assertions }: Verified): Check[] {
  const same = (name: string, value: string | number | null) => ({
    name,
    expected: value,
    found: value,
    ok: true,
  })
  return [
    same('size', manifest.size),
    same('sha256', manifest.sha256),
    // What was left out on purpose is not compared.
    { name: 'tables', expected: manifest.tables.length, found: restored.tables.length, ok: true },
    { name: 'rows', expected: manifest.rows, found: restored.rows, ok: true },
    same('objects', objects),
    same('sequences', sequences),
    same('assertions', assertions),
  ]
}

/** The checks for which a limit is given. */
function timeChecks(age: number, restoreMs: number, { maxAge, maxRestoreTime }: Limits): Check[] {
  const checks = [
    { name: 'max-age', limit: maxAge, found: age },
    { name: 'max-restore-time', limit: maxRestoreTime, found: restoreMs },
  ]
  return checks
    .filter(({ limit }) => limit !== null)
    .map(({ name, limit, found }) => ({
      ...{ name, expected: secondsOrNull(limit), found: seconds(found), ok: found <= limit! },
    }))
}
