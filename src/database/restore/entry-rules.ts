import type { TocEntry } from '../../archive/archive.ts'
import { formatNames } from '../../report/format.ts'
import { Dependents } from './dependents.ts'
import { HOUSEKEEPING, isUnmistakable, type Provider } from './managed-services.ts'
import { restrictRoles } from './policies.ts'
import { rolesOf, type TargetFacts } from './target-facts.ts'

export type Rules = {
  /** The provider from which the dump comes, if any. */
  provider: Provider | null
  /** Whether entries may be left out. Otherwise everything is restored, or the restore fails. */
  leaveOut: boolean
  /** Whether owners and grants are restored, which requires every role to exist. */
  ownerAndAcl: boolean
}

/** An entry that is not restored, and why. It is `lossless` if the result is the same without it. */
export type LeftOut = { entry: TocEntry; why: string; lossless: boolean }

export type Selection = {
  /** The entries to restore, in the order of the archive. */
  entries: readonly TocEntry[]
  leftOut: readonly LeftOut[]
  /** Extensions that the dump needs but that cannot be created. `reason` is the server's; null if it does not offer the extension. */
  missing: readonly { name: string; reason: string | null; neededBy: string | null }[]
}

/** Objects that are left out with the object to which they are attached. Any other dependent object keeps it in the restore. */
const ATTACHMENT =
  /^(COMMENT|ACL|DEFAULT ACL|SECURITY LABEL|TRIGGER|EVENT TRIGGER|PUBLICATION TABLE|PUBLICATION TABLES IN SCHEMA)$/

/** Kinds of objects that can contain data of a user. */
const HOLDS_DATA = /^(TABLE|FOREIGN TABLE|MATERIALIZED VIEW|SEQUENCE)$/

type Verdict = Omit<LeftOut, 'entry'> | null

/**
 * Selects the entries of an archive that can be restored on a target, by rules that name each exception. Rows of a user's
 * table are never left out.
 */
export function selectEntries(entries: readonly TocEntry[], facts: TargetFacts, rules: Rules): Selection {
  const provided = new ProviderObjects(entries, facts, rules)
  if (!rules.leaveOut) return { entries, leftOut: [], missing: provided.missing }
  const verdicts = new Map<number, NonNullable<Verdict>>()
  for (const entry of entries) {
    const verdict = provided.judge(entry) ?? judge(entry, facts, rules)
    if (verdict) verdicts.set(entry.dumpId, verdict)
  }
  for (const entry of entries) {
    if (!ATTACHMENT.test(entry.desc) || verdicts.has(entry.dumpId)) continue
    const cause = entry.dependencies
      .map((id) => verdicts.get(id))
      .find((verdict) => verdict && !verdict.lossless)
    if (cause) verdicts.set(entry.dumpId, cause)
  }
  return {
    entries: entries
      .filter(({ dumpId }) => !verdicts.has(dumpId))
      .map((entry) => withPresentRoles(entry, facts, rules)),
    leftOut: entries.flatMap((entry) => {
      // Without owner-and-acl, no grant is restored.
      const verdict = rules.ownerAndAcl || !/ACL$/.test(entry.desc) ? verdicts.get(entry.dumpId) : null
      return verdict ? [{ entry, ...verdict }] : []
    }),
    missing: provided.missing,
  }
}

/** The schemas and extensions that a provider adds, and the extensions that the target does not have. */
class ProviderObjects {
  readonly missing: Selection['missing']
  private readonly schemas: ReadonlyMap<string, string>
  private readonly extensions: ReadonlyMap<string, string>
  private readonly provider: Provider | null
  private readonly installed: ReadonlySet<string>

  constructor(entries: readonly TocEntry[], facts: TargetFacts, { provider, leaveOut }: Rules) {
    this.provider = provider
    this.installed = facts.installed
    const unneeded: Readonly<Record<string, readonly string[]>> = leaveOut
      ? { ...HOUSEKEEPING, ...provider?.extensions }
      : {}
    const dependents = new Dependents(entries)
    const absent = entries
      .filter(({ desc, tag }) => desc === 'EXTENSION' && isAbsent(tag, facts))
      .map((entry) => ({
        name: entry.tag,
        reason: facts.refused.get(entry.tag) ?? null,
        neededBy: neededBy(entry.dumpId, dependents, unneeded[entry.tag] ?? []),
      }))
    const without = absent.filter(({ name, neededBy }) => name in unneeded && neededBy === null)
    this.missing = absent.filter((extension) => !without.includes(extension))
    this.extensions = new Map(
      without.map(({ name, reason }) => [
        name,
        `the server does not have the extension ${name}${reason ? ` (${reason})` : ''}, and nothing else in the dump needs it`,
      ]),
    )
    const created = new Set(
      entries.flatMap(({ desc, namespace }) => (HOLDS_DATA.test(desc) ? namespace : [])),
    )
    this.schemas = new Map([
      ...without.flatMap(({ name }) =>
        unneeded[name]!.filter((schema) => !created.has(schema)).map(
          (schema) => [schema, this.extensions.get(name)!] as const,
        ),
      ),
      ...ownSchemas(entries, dependents, provider),
    ])
  }

  judge(entry: TocEntry): Verdict {
    const { desc, tag } = entry
    if (desc === 'EXTENSION' && this.installed.has(tag))
      return { why: 'the database already has these extensions', lossless: true }
    const why =
      (desc === 'EXTENSION' && this.extensions.get(tag)) ||
      this.schemas.get(schemaOf(entry)) ||
      (desc === 'EVENT TRIGGER' &&
        this.provider?.eventTriggers.includes(tag) &&
        `they are internal to ${this.provider.title}`)
    return why ? { why, lossless: false } : null
  }
}

function isAbsent(extension: string, { installed, available, refused }: TargetFacts): boolean {
  if (installed.has(extension)) return false
  return refused.has(extension) || (available !== null && !available.has(extension))
}

/** Describes the first entry outside the given schemas that cannot be restored without the entry `dumpId`; null if there is none. */
function neededBy(dumpId: number, dependents: Dependents, schemas: readonly string[]): string | null {
  const needs = dependents
    .of(dumpId)
    .find((entry) => !ATTACHMENT.test(entry.desc) && !schemas.includes(schemaOf(entry)))
  return needs?.label ?? null
}

function schemaOf({ desc, tag, namespace }: TocEntry): string {
  return desc === 'SCHEMA' ? tag : namespace
}

/**
 * Returns the provider's schemas that no object of a user needs, each with the reason for leaving it out. A schema of that
 * name with tables of another owner belongs to the user.
 */
function ownSchemas(
  entries: readonly TocEntry[],
  dependents: Dependents,
  provider: Provider | null,
): [string, string][] {
  if (!provider) return []
  const inside = Map.groupBy(entries, schemaOf)
  const isOwn = (schema: string) => {
    const owned = (inside.get(schema) ?? []).filter(({ desc }) => desc === 'SCHEMA' || HOLDS_DATA.test(desc))
    return (
      owned.length > 0 &&
      (isUnmistakable(schema) ||
        owned.every(({ owner }) => provider.roles.test(owner) || provider.otherOwners?.test(owner)))
    )
  }
  let schemas = provider.schemas.filter(isOwn)
  for (let before = -1; before !== schemas.length; ) {
    before = schemas.length
    const outside = schemas
    schemas = schemas.filter((schema) =>
      inside.get(schema)!.every(({ dumpId }) => neededBy(dumpId, dependents, outside) === null),
    )
  }
  return schemas.map((schema) => [schema, `schema ${schema} is internal to ${provider.title}`])
}

/** Returns why an entry is left out, by the rules for dumps of any origin; null if it is restored. */
function judge(entry: TocEntry, facts: TargetFacts, { ownerAndAcl }: Rules): Verdict {
  const { server, mayCreate, schemas, roles } = facts
  const { desc, tag } = entry
  const may = (right: string) => ({ why: `"${server.role}" may not create ${right}`, lossless: false })
  if (desc === 'SUBSCRIPTION') {
    const why =
      'a copy must not take over the subscription of its original, and a database with one cannot be dropped'
    return { why, lossless: false }
  }
  if (!ownerAndAcl && rolesOf(entry).length > 0 && !rolesOf(entry).some((role) => roles.has(role)))
    return { why: 'they are for roles that the server does not have', lossless: false }
  // pg_dump writes a statement that drops a schema, except for one that was added because a table needs it.
  if (desc === 'SCHEMA' && !entry.fields.dropStmt?.length && schemas.has(tag))
    return { why: 'the target already has these schemas', lossless: true }
  if (server.superuser) return null
  if (desc === 'EVENT TRIGGER' && !mayCreate.eventTriggers) return may('event triggers')
  const ofAll = desc === 'PUBLICATION' && / FOR ALL TABLES/.test(entry.definition)
  if ((ofAll || desc === 'PUBLICATION TABLES IN SCHEMA') && !mayCreate.publicationsOfAll)
    return may('publications of all tables')
  if (desc === 'SCHEMA' && tag !== 'public' && schemas.get(tag) === false)
    return { why: 'the database already has these schemas, and they belong to another role', lossless: true }
  if (desc === 'COMMENT' && tag.startsWith('EXTENSION '))
    return { why: 'CREATE EXTENSION sets the comment of an extension', lossless: true }
  const ofForeign = desc === 'COMMENT' && tag.startsWith('SCHEMA ') && schemas.get(tag.slice(7)) === false
  return ofForeign ? { why: 'the schemas belong to another role', lossless: true } : null
}

/** Restricts a policy for several roles to those that the server has. */
function withPresentRoles(entry: TocEntry, { roles }: TargetFacts, { ownerAndAcl }: Rules): TocEntry {
  if (ownerAndAcl || entry.desc !== 'POLICY' || rolesOf(entry).every((role) => roles.has(role))) return entry
  const present = (role: string) => roles.has(entry.decode(Buffer.from(role, 'latin1')))
  return entry.redefine((sql) => restrictRoles(sql, present))
}

/** More names would make a line of the log too long. */
const MAX_NAMED_ENTRIES = 8

/** Returns a line for each reason, with the names of the entries that are left out, those with data first. */
export function describeLeftOut(leftOut: readonly LeftOut[]): string[] {
  return [...Map.groupBy(leftOut, ({ why }) => why)].map(([why, group]) => {
    const entries = group.map(({ entry }) => entry).sort((a, b) => Number(b.hasData) - Number(a.hasData))
    const names = entries.map(({ label }) => label)
    return `${formatNames(names, MAX_NAMED_ENTRIES)}: ${why}`
  })
}
