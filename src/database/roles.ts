import { messageOf } from '../errors.ts'
import type { Session } from './connection/session.ts'

/** A role with its rights on the whole server. */
export type RoleFacts = {
  name: string
  superuser: boolean
  inherit: boolean
  createrole: boolean
  createdb: boolean
  login: boolean
  replication: boolean
  bypassrls: boolean
}

/** That `member` has the rights of `role`. */
export type Membership = { role: string; member: string; admin: boolean }

/** The roles of a server and who belongs to which, without passwords. */
export type Globals = { roles: RoleFacts[]; memberships: Membership[] }

/** Whether PostgreSQL itself makes the role. */
export function isPredefined(role: string): boolean {
  return role.startsWith('pg_')
}

/** Since PostgreSQL 16, a role may administer the roles that it creates without having their rights. */
const FIRST_WITH_OPTIONS = 16

/**
 * Reads the roles of a server and their memberships from views that every role may read, so it works where
 * `pg_dumpall` may not read `pg_authid`.
 *
 * @throws an Error when the server does not show them
 */
export async function readGlobals(session: Session, { major }: { major: number }): Promise<Globals> {
  const effective = major >= FIRST_WITH_OPTIONS ? 'AND (m.inherit_option OR m.set_option)' : ''
  try {
    const roles = await session.query<RoleFacts>(`
      SELECT rolname AS name, rolsuper AS superuser, rolinherit AS inherit, rolcreaterole AS createrole,
             rolcreatedb AS createdb, rolcanlogin AS login, rolreplication AS replication, rolbypassrls AS bypassrls
      FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname`)
    const memberships = await session.query<Membership>(`
      SELECT r.rolname AS role, u.rolname AS member, bool_or(m.admin_option) AS admin
      FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid JOIN pg_roles AS u ON u.oid = m.member
      WHERE u.rolname !~ '^pg_' ${effective} GROUP BY r.rolname, u.rolname ORDER BY r.rolname, u.rolname`)
    return { roles, memberships }
  } catch (error) {
    throw new Error(
      `The roles of the server cannot be read: ${messageOf(error)}. Grant SELECT on pg_roles and pg_auth_members, or set globals: false (with dump) or create-roles: false (with restore)`,
      { cause: error },
    )
  }
}
