import type { TocEntry } from '../../archive/archive.ts'
import { HOUSEKEEPING, isUnmistakable, type Provider } from './managed-services.ts'
import { restrictRoles } from './policies.ts'
import { rolesOf, type TargetFacts } from './target-facts.ts'

export type Rules = {
  /** The provider that the dump comes from, if any. */
  provider: Provider | null
  /** False restores all or nothing. */
  leaveOut: boolean
  /** Whether owners and grants are restored; then every role must be there. */
  ownerAndAcl: boolean
}

/** An entry that is not restored, and why. `lossless` when the result is the same without it. */
export type LeftOut = { entry: TocEntry; why: string; lossless: boolean }

export type Selection = {
  /** What to restore, in the order of the archive. */
  entries: readonly TocEntry[]
  leftOut: readonly LeftOut[]
  /** Extensions that the dump needs and that cannot be created: `reason` is the server's, null when it has none of that name. */
  missing: readonly { name: string; reason: string | null; neededBy: string | null }[]
}

/** What hangs on other objects and goes with them. Everything else that needs an object makes it stay. */
const ATTACHMENT =
  /^(COMMENT|ACL|DEFAULT ACL|SECURITY LABEL|TRIGGER|EVENT TRIGGER|PUBLICATION TABLE|PUBLICATION TABLES IN SCHEMA)$/

/** Kinds of objects in which a user could keep something. */
const HOLDS_DATA = /^(TABLE|FOREIGN TABLE|MATERIALIZED VIEW|SEQUENCE)$/

type Verdict = Omit<LeftOut, 'entry'> | null

/**
 * Which entries of an archive can be restored on a target, by rules that name each exception. Rows of a user's table
 * are never among those left out.
 */
export function selectEntries(entries: readonly TocEntry[], facts: TargetFacts, rules: Rules): Selection {
  const machinery = new Machinery(entries, facts, rules)
  if (!rules.leaveOut) return { entries, leftOut: [], missing: machinery.missing }
  const verdicts = new Map<number, NonNullable<Verdict>>()
  for (const entry of entries) {
    const verdict = machinery.judge(entry) ?? judge(entry, facts, rules)
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
      const verdict = verdicts.get(entry.dumpId)
      return verdict ? [{ entry, ...verdict }] : []
    }),
    missing: machinery.missing,
  }
}

/** The schemas and extensions that a provider adds, and those extensions that the target lacks. */
class Machinery {
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
    const absent = entries
      .filter(({ desc, tag }) => desc === 'EXTENSION' && isAbsent(tag, facts))
      .map((entry) => ({
        name: entry.tag,
        reason: facts.refused.get(entry.tag) ?? null,
        neededBy: neededBy(entry.dumpId, entries, unneeded[entry.tag] ?? []),
      }))
    const without = absent.filter(({ name, neededBy }) => name in unneeded && neededBy === null)
    this.missing = absent.filter((extension) => !without.includes(extension))
    this.extensions = new Map(
      without.map(({ name, reason }) => [
        name,
        `the target has no extension ${name}${reason ? ` (${reason})` : ''}, and nothing else in the dump needs it`,
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
      ...ownSchemas(entries, provider),
    ])
  }

  judge({ desc, tag, namespace }: TocEntry): Verdict {
    if (desc === 'EXTENSION' && this.installed.has(tag))
      return { why: 'the target has these extensions already', lossless: true }
    const why =
      (desc === 'EXTENSION' && this.extensions.get(tag)) ||
      this.schemas.get(desc === 'SCHEMA' ? tag : namespace) ||
      (desc === 'EVENT TRIGGER' &&
        this.provider?.eventTriggers.includes(tag) &&
        `they are machinery of ${this.provider.title}`)
    return why ? { why, lossless: false } : null
  }
}

function isAbsent(extension: string, { installed, available, refused }: TargetFacts): boolean {
  if (installed.has(extension)) return false
  return refused.has(extension) || (available !== null && !available.has(extension))
}

/** The first entry outside of the given schemas that cannot be without another one, in words. */
function neededBy(dumpId: number, entries: readonly TocEntry[], schemas: readonly string[]): string | null {
  const needs = entries.find(
    ({ desc, tag, namespace, dependencies }) =>
      dependencies.includes(dumpId) &&
      !ATTACHMENT.test(desc) &&
      !schemas.includes(desc === 'SCHEMA' ? tag : namespace),
  )
  return needs ? describeEntry(needs) : null
}

/**
 * The provider's schemas that nothing of a user needs, each with the reason for leaving it out. A schema of that name
 * with tables of somebody else is the user's.
 */
function ownSchemas(entries: readonly TocEntry[], provider: Provider | null): [string, string][] {
  if (!provider) return []
  const inside = (schema: string) => (entry: TocEntry) =>
    entry.namespace === schema || (entry.desc === 'SCHEMA' && entry.tag === schema)
  const isOwn = (schema: string) => {
    const owned = entries
      .filter(inside(schema))
      .filter(({ desc }) => desc === 'SCHEMA' || HOLDS_DATA.test(desc))
    return (
      owned.length > 0 && (isUnmistakable(schema) || owned.every(({ owner }) => provider.roles.test(owner)))
    )
  }
  let schemas = provider.schemas.filter(isOwn)
  for (let before = -1; before !== schemas.length; ) {
    before = schemas.length
    const outside = schemas
    schemas = schemas.filter((schema) =>
      entries.filter(inside(schema)).every(({ dumpId }) => neededBy(dumpId, entries, outside) === null),
    )
  }
  return schemas.map((schema) => [schema, `schema ${schema} is machinery of ${provider.title}`])
}

/** What is left out of any dump, whoever made it. */
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
  if (server.superuser) return null
  if (desc === 'EVENT TRIGGER' && !mayCreate.eventTriggers) return may('event triggers')
  const ofAll = desc === 'PUBLICATION' && / FOR ALL TABLES/.test(entry.definition)
  if ((ofAll || desc === 'PUBLICATION TABLES IN SCHEMA') && !mayCreate.publicationsOfAll)
    return may('publications of all tables')
  if (desc === 'SCHEMA' && tag !== 'public' && schemas.get(tag) === false)
    return { why: 'the target has these schemas already, and they belong to another role', lossless: true }
  if (desc === 'COMMENT' && tag.startsWith('EXTENSION '))
    return { why: 'CREATE EXTENSION sets the comment of an extension', lossless: true }
  const ofForeign = desc === 'COMMENT' && tag.startsWith('SCHEMA ') && schemas.get(tag.slice(7)) === false
  return ofForeign ? { why: 'the schemas belong to another role', lossless: true } : null
}

/** A policy for several roles stays one for those that the server has. */
function withPresentRoles(entry: TocEntry, { roles }: TargetFacts, { ownerAndAcl }: Rules): TocEntry {
  if (ownerAndAcl || entry.desc !== 'POLICY' || rolesOf(entry).every((role) => roles.has(role))) return entry
  return entry.redefine((sql) => restrictRoles(sql, (role) => roles.has(role)))
}

/** `EVENT TRIGGER log_ddl`, `TABLE DATA cron.job`. */
function describeEntry({ desc, namespace, tag }: TocEntry): string {
  return `${desc} ${namespace ? `${namespace}.` : ''}${tag}`
}

/** Names that fit into a line. */
const NAMED = 8

/** A line for each reason, with the names of what is left out; tables with data first. */
export function describeLeftOut(leftOut: readonly LeftOut[]): string[] {
  return [...Map.groupBy(leftOut, ({ why }) => why)].map(([why, group]) => {
    const entries = group.map(({ entry }) => entry).sort((a, b) => Number(b.hasData) - Number(a.hasData))
    const more = entries.length > NAMED ? ` and ${entries.length - NAMED} more` : ''
    return `${entries.slice(0, NAMED).map(describeEntry).join(', ')}${more}: ${why}`
  })
}
