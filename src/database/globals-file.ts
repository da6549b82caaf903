import { identifier } from './connection/literal.ts'
import { type Globals, isPredefined, type RoleFacts } from './roles.ts'

const HEADER = '-- Roles of a PostgreSQL server without passwords, written by pgclone-action. Format 1.\n'

type Attribute = Exclude<keyof RoleFacts, 'name'>

/** The attributes in the order in which they are written. */
const ATTRIBUTES: readonly Attribute[] = [
  'superuser',
  'inherit',
  'createrole',
  'createdb',
  'login',
  'replication',
  'bypassrls',
]

const NAME = '"((?:[^"\\0]|"")+)"'
const STATEMENT = new RegExp(
  `CREATE ROLE ${NAME} ${ATTRIBUTES.map((name) => `(NO)?${name.toUpperCase()}`).join(' ')};\\n|GRANT ${NAME} TO ${NAME}( WITH ADMIN OPTION)?;\\n`,
  'y',
)

/** PostgreSQL cuts longer names (NAMEDATALEN - 1). */
const MAX_NAME_BYTES = 63

/** Writes roles and memberships as SQL that an administrator can run on an empty server. */
export function formatGlobals({ roles, memberships }: Globals): string {
  const created = roles.map((role) => {
    const attributes = ATTRIBUTES.map((name) => `${role[name] ? '' : 'NO'}${name.toUpperCase()}`)
    return `CREATE ROLE ${identifier(role.name)} ${attributes.join(' ')};\n`
  })
  const granted = memberships.map(
    ({ role, member, admin }) =>
      `GRANT ${identifier(role)} TO ${identifier(member)}${admin ? ' WITH ADMIN OPTION' : ''};\n`,
  )
  return [HEADER, ...created, ...granted].join('')
}

/**
 * Reads what `formatGlobals` wrote. Anybody who may write to the storage may have changed it, so it is data and is never
 * run: every byte must be of a statement that this action writes.
 *
 * @returns null for any other text
 */
export function parseGlobals(text: string): Globals | null {
  if (!text.startsWith(HEADER)) return null
  const globals: Globals = { roles: [], memberships: [] }
  let end = HEADER.length
  while (end < text.length) {
    STATEMENT.lastIndex = end
    const match = STATEMENT.exec(text)
    if (!match) return null
    end = STATEMENT.lastIndex
    const [, created] = match
    const [role, member, admin] = match.slice(2 + ATTRIBUTES.length)
    if (created === undefined)
      globals.memberships.push({ role: bare(role!), member: bare(member!), admin: admin !== undefined })
    else globals.roles.push(roleOf(bare(created), match.slice(2)))
  }
  const names = [
    ...globals.roles.map(({ name }) => name),
    ...globals.memberships.flatMap(({ role, member }) => [role, member]),
  ]
  const wrong = names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)
  return wrong || globals.roles.some(({ name }) => isPredefined(name)) ? null : globals
}

function bare(quoted: string): string {
  return quoted.replaceAll('""', '"')
}

function roleOf(name: string, negations: readonly (string | undefined)[]): RoleFacts {
  const attributes = ATTRIBUTES.map((attribute, index) => [attribute, negations[index] === undefined])
  return { name, ...(Object.fromEntries(attributes) as Record<Attribute, boolean>) }
}
