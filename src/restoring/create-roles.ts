import { createHash } from 'node:crypto'
import { DatabaseError, identifier, type Session } from '../database/connection/session.ts'
import { parseGlobals } from '../database/globals-file.ts'
import { type Globals, isPredefined, type Membership, readGlobals } from '../database/roles.ts'
import type { Server } from '../database/server.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { formatNames, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Dump } from './find-dump.ts'

/** What `create-roles` does on a server. */
export type RolePlan = {
  /** Statements that create the missing roles. */
  statements: string[]
  created: string[]
  /** What the source has and the target does not get, in words. */
  leftOut: string[]
}

/** The error of CREATE ROLE when another run was faster (duplicate_object, unique_violation). */
const TAKEN = /^(?:42710|23505)$/
const MAX_ATTEMPTS = 3

/** Names in one line of the log; a server may have thousands of roles. */
const MAX_NAMES = 50

/**
 * Creates the roles of a dump that the target's server lacks, without login and without any right on the server.
 *
 * @throws an Error when the dump has no roles, when they were altered in storage, or when this role may not create roles
 */
export async function createRoles(
  inputs: Pick<Inputs, 'createRoles' | 'dryRun'>,
  dump: Pick<Dump, 'storage' | 'chosen'>,
  { session, server }: { session: Session; server: Server },
): Promise<void> {
  if (!inputs.createRoles) return
  const globals = await downloadGlobals(dump)
  for (let attempt = 1; ; attempt += 1) {
    const plan = planRoles(globals, await readGlobals(session, server))
    if (plan.created.length > 0) await checkMayCreate(session, server)
    try {
      if (!inputs.dryRun && plan.statements.length > 0) await session.transaction(...plan.statements)
      return report(plan, inputs.dryRun)
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !(error instanceof DatabaseError && TAKEN.test(error.sqlstate)))
        throw error
    }
  }
}

/** Reads the roles that were stored with a dump, and compares them with its manifest. */
async function downloadGlobals({ storage, chosen }: Pick<Dump, 'storage' | 'chosen'>): Promise<Globals> {
  const stored = chosen.manifest?.globals
  if (!stored)
    throw new Error(
      `create-roles: true needs a dump that was made with globals: true, and ${chosen.key} has no roles; make a new dump, or set create-roles: false`,
    )
  const altered = (what: string) =>
    new Error(`${stored.key} ${what}; it was altered or cut, so no role is created from it`)
  const size = await storage.size(stored.key)
  if (size !== stored.size)
    throw altered(size === null ? 'is missing' : 'has another size than its manifest says')
  const text = (await storage.readTexts([stored.key])).get(stored.key) ?? ''
  if (createHash('sha256').update(text).digest('hex') !== stored.sha256)
    throw altered('has another SHA-256 than its manifest says')
  const globals = parseGlobals(text)
  if (!globals) throw altered('has something other than the roles that this action writes')
  return globals
}

/**
 * Decides what is created. Only roles that are created now are granted: the rights of a role that the target already has
 * were given there for its own reasons.
 */
export function planRoles(source: Globals, target: Globals): RolePlan {
  const present = new Set(target.roles.map(({ name }) => name))
  const missing = source.roles.filter(({ name }) => !present.has(name))
  const created = new Set(missing.map(({ name }) => name))
  const has = new Set(target.memberships.map(pair))
  const wanted = source.memberships.filter((membership) => !has.has(pair(membership)))
  const granted = wanted.filter(
    ({ role, member }) => created.has(role) && (created.has(member) || present.has(member)),
  )
  const refused = wanted.filter((membership) => !granted.includes(membership))
  return {
    created: [...created],
    statements: [
      ...missing.map(
        ({ name, inherit }) =>
          `CREATE ROLE ${identifier(name)} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE ${inherit ? '' : 'NO'}INHERIT`,
      ),
      ...granted.map(({ role, member }) => `GRANT ${identifier(role)} TO ${identifier(member)}`),
    ],
    leftOut: [
      ...attributesLeftOut(missing),
      ...listed('the ADMIN OPTION of', granted.filter(({ admin }) => admin).map(words)),
      ...listed(
        'memberships in roles of PostgreSQL itself:',
        refused.filter(({ role }) => isPredefined(role)).map(words),
      ),
      ...listed(
        'memberships in roles that exist:',
        refused.filter(({ role }) => !isPredefined(role)).map(words),
      ),
    ],
  }
}

function attributesLeftOut(missing: Globals['roles']): string[] {
  const rights = ['login', 'superuser', 'createrole', 'createdb', 'replication', 'bypassrls'] as const
  return rights.flatMap((right) => {
    const names = missing.filter((role) => role[right]).map(({ name }) => `"${name}"`)
    return listed(`${right.toUpperCase()}${right === 'login' ? ' and passwords' : ''} of`, names)
  })
}

function listed(what: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${what} ${formatNames(names, MAX_NAMES)}`]
}

function pair({ role, member }: Membership): string {
  return JSON.stringify([role, member])
}

function words({ role, member }: Membership): string {
  return `"${member}" in "${role}"`
}

async function checkMayCreate(session: Session, { role }: Server): Promise<void> {
  const [row] = await session.query<{ may: boolean }>(
    'SELECT rolsuper OR rolcreaterole AS may FROM pg_roles WHERE rolname = current_user',
  )
  if (row?.may) return
  throw new Error(
    `The role "${role}" may not create roles (CREATEROLE); grant it, create the roles of the dump by hand, or set create-roles: false`,
  )
}

function report({ created, leftOut }: RolePlan, dryRun: boolean): void {
  const verb = dryRun ? 'Would create' : 'Created'
  const names = created.map((name) => `"${name}"`)
  if (created.length === 0) log.info('The target has every role of the dump')
  else
    log.info(
      `${verb} ${formatQuantity(created.length, 'role')} without login and password: ${formatNames(names, MAX_NAMES)}`,
    )
  if (leftOut.length > 0) log.notice(`create-roles left out: ${leftOut.join('; ')}`)
}
