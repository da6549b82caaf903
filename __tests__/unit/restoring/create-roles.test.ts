import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Globals, RoleFacts } from '../../../src/database/roles.ts'
import { planRoles } from '../../../src/restoring/create-roles.ts'

const role = (name: string, more: Partial<RoleFacts> = {}): RoleFacts => ({
  ...{ name, superuser: false, inherit: true, createrole: false, createdb: false },
  ...{ login: false, replication: false, bypassrls: false, ...more },
})

const member = (of: string, name: string, admin = false) => ({ role: of, member: name, admin })

test('missing roles are created without rights, and only they are granted', () => {
  const source: Globals = {
    roles: [
      role('admin'),
      role('app', { login: true }),
      role('readers', { inherit: false }),
      role('boss', { superuser: true, login: true }),
    ],
    memberships: [
      member('readers', 'app', true),
      member('readers', 'boss'),
      member('admin', 'readers'),
      member('admin', 'app'),
      member('pg_read_all_data', 'readers'),
      member('boss', 'admin'),
    ],
  }
  const target: Globals = { roles: [role('admin'), role('app')], memberships: [member('admin', 'app')] }
  const { statements, created, leftOut } = planRoles(source, target)
  assert.deepEqual(created, ['readers', 'boss'])
  assert.deepEqual(statements, [
    'CREATE ROLE "readers" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT',
    'CREATE ROLE "boss" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT',
    'GRANT "readers" TO "app"',
    'GRANT "readers" TO "boss"',
    'GRANT "boss" TO "admin"',
  ])
  assert.deepEqual(leftOut, [
    'LOGIN and passwords of "boss"',
    'SUPERUSER of "boss"',
    'the ADMIN OPTION of "app" in "readers"',
    'memberships in roles of PostgreSQL itself: "readers" in "pg_read_all_data"',
    'memberships in roles that exist: "readers" in "admin"',
  ])
  assert.deepEqual(planRoles(target, source), { statements: [], created: [], leftOut: [] })
})
