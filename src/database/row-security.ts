import { PermanentError } from '../errors.ts'
import { formatNames } from '../report/format.ts'
import { identifier, type Session } from './connection/session.ts'

type HidingTable = { oid: string; schema: string; name: string; owned: boolean }

/**
 * Does work that must see every row, such as a hook that masks personal data: policies that apply to this role too (FORCE
 * ROW LEVEL SECURITY) would hide rows from it, and it would succeed. They are suspended where this role owns the table.
 *
 * @param open opens a session in the database; none is open during the work
 * @throws a PermanentError when a policy of another owner applies to this role
 */
export async function seeingAllRows<Result>(
  open: () => Promise<Session>,
  work: () => Promise<Result>,
): Promise<Result> {
  const forced = await suspend(open)
  const result = await work()
  if (forced.length > 0) await resume(open, forced)
  return result
}

async function resume(open: () => Promise<Session>, forced: readonly HidingTable[]): Promise<void> {
  await using session = await open()
  // The work may have renamed or dropped a table.
  const remaining = await session.query<HidingTable>(
    tablesWhere(`c.oid IN (${forced.map(({ oid }) => oid).join(', ')})`),
  )
  await session.execute(...remaining.map((table) => alter(table, 'FORCE')))
}

async function suspend(open: () => Promise<Session>): Promise<HidingTable[]> {
  await using session = await open()
  const tables = await session.query<HidingTable>(
    tablesWhere('c.relrowsecurity AND row_security_active(c.oid)'),
  )
  const others = tables.filter(({ owned }) => !owned)
  if (others.length > 0) throw new PermanentError(explainHidden(others))
  await session.execute(...tables.map((table) => alter(table, 'NO FORCE')))
  return tables
}

function tablesWhere(condition: string): string {
  return `
    SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, pg_has_role(c.relowner, 'USAGE') AS owned
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND ${condition} ORDER BY 2, 3`
}

function alter({ schema, name }: HidingTable, state: 'FORCE' | 'NO FORCE'): string {
  return `ALTER TABLE ONLY ${identifier(schema)}.${identifier(name)} ${state} ROW LEVEL SECURITY`
}

function explainHidden(tables: readonly HidingTable[]): string {
  const names = tables.map(({ schema, name }) => `${schema}.${name}`)
  return `Row security could hide rows of ${formatNames(names, 5)} from hooks and verify-sql, so nothing ran; use a role with BYPASSRLS, or one that owns these tables`
}

/**
 * Returns a statement that fails when row security could hide rows from this role. It is part of a restore in place, whose
 * tables are visible to others as soon as it commits. Every name is qualified, because the database is not trusted.
 */
export function refuseHiddenRows(): string {
  return `DO 'BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relrowsecurity AND pg_catalog.row_security_active(c.oid)) THEN
      RAISE EXCEPTION ''row security could hide rows from pre-swap-hooks, so nothing was restored; use a role with BYPASSRLS'';
    END IF;
  END';`
}
