import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatGlobals, parseGlobals } from '../../../src/database/globals-file.ts'
import type { Globals, RoleFacts } from '../../../src/database/roles.ts'

const role = (name: string, more: Partial<RoleFacts> = {}): RoleFacts => ({
  ...{ name, superuser: false, inherit: true, createrole: false, createdb: false },
  ...{ login: false, replication: false, bypassrls: false, ...more },
})

const names = [
  'app',
  'App',
  'a b',
  `it's`,
  'say "hi"',
  '""',
  'back\\slash',
  'semi;colon',
  'ü𝒳',
  'new\nline',
  '-- x',
  '$1',
]
const globals: Globals = {
  roles: [
    ...names.map((name) => role(name)),
    role('boss', { superuser: true, inherit: false, createrole: true, login: true }),
    role('other', { createdb: true, replication: true, bypassrls: true }),
  ],
  memberships: [
    { role: 'app', member: 'say "hi"', admin: false },
    { role: 'pg_monitor', member: 'new\nline', admin: true },
  ],
}

test('roles and memberships come back as they were, whatever their names', () => {
  const text = formatGlobals(globals)
  assert.deepEqual(parseGlobals(text), globals)
  assert.match(
    text,
    /^CREATE ROLE "boss" SUPERUSER NOINHERIT CREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;$/m,
  )
  assert.match(text, /^GRANT "pg_monitor" TO "new\nline" WITH ADMIN OPTION;$/m)
  assert.deepEqual(parseGlobals(formatGlobals({ roles: [], memberships: [] })), {
    roles: [],
    memberships: [],
  })
})

test('any other text is not a list of roles', () => {
  const text = formatGlobals(globals)
  const one = formatGlobals({ roles: [role('app')], memberships: [] })
  const others = [
    '',
    text.slice(0, -1),
    text.slice(0, text.length / 2),
    text.replace('Format 1', 'Format 2'),
    `${text} `,
    ...[
      'ALTER ROLE "app" SUPERUSER;',
      `CREATE ROLE "x" PASSWORD 'x';`,
      'CREATE ROLE "x";',
      'CREATE ROLE x NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;',
      'GRANT "a" TO "b" WITH GRANT OPTION;',
      'GRANT ALL ON DATABASE "a" TO "b";',
      'GRANT "a", "c" TO "b";',
      '\\! touch /tmp/x',
      '-- a comment',
      '',
    ].map((line) => `${one}${line}\n`),
    one.replace('"app"', `"${'x'.repeat(64)}"`),
    one.replace('"app"', '"pg_app"'),
    one.replace('"app"', '"a"b"'),
    one.replace('"app"', '""'),
    one.replace('"app"', '"a\0"'),
  ]
  for (const other of others) assert.equal(parseGlobals(other), null, other)
})
