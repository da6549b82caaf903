import { identifier, literal, type Session } from './connection/session.ts'

/** What PostgreSQL stores about a database outside of it. A rename does not move it to the new database of that name. */
export type Properties = {
  owner: string
  connectionLimit: number
  isTemplate: boolean
  tablespace: string
  comment: string | null
  /** Null when nothing was ever granted, so that PostgreSQL's defaults apply. */
  grants: { grantee: string | null; privilege: string; grantable: boolean }[] | null
  /** `ALTER DATABASE … SET` and `ALTER ROLE … IN DATABASE … SET`; `role` is null for the former. */
  settings: { role: string | null; setting: string }[]
  labels: { provider: string; label: string }[]
  /** Whether the database accepts connections. */
  allowsConnections: boolean
}

/** @returns null when there is no such database */
export async function readProperties(session: Session, database: string): Promise<Properties | null> {
  const [row] = await session.query<Properties>(`
    SELECT pg_get_userbyid(d.datdba) AS owner, d.datconnlimit AS "connectionLimit", d.datistemplate AS "isTemplate",
           t.spcname AS tablespace, shobj_description(d.oid, 'pg_database') AS comment,
           d.datallowconn AS "allowsConnections",
           CASE WHEN d.datacl IS NOT NULL THEN
             (SELECT coalesce(json_agg(json_build_object(
                'grantee', CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,
                'privilege', a.privilege_type, 'grantable', a.is_grantable)), '[]')
              FROM aclexplode(d.datacl) AS a) END AS grants,
           (SELECT coalesce(json_agg(json_build_object(
                'role', CASE s.setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END,
                'setting', setting)), '[]')
            FROM pg_db_role_setting AS s, unnest(s.setconfig) AS setting WHERE s.setdatabase = d.oid) AS settings,
           (SELECT coalesce(json_agg(json_build_object('provider', provider, 'label', label)), '[]')
            FROM pg_shseclabel WHERE objoid = d.oid AND classoid = 'pg_database'::regclass) AS labels
    FROM pg_database AS d JOIN pg_tablespace AS t ON t.oid = d.dattablespace
    WHERE d.datname = ${literal(database)}`)
  return row ?? null
}

/**
 * Returns statements that give a database these properties, except that of a template: a template cannot be dropped, so
 * only the swap makes it one. The owner changes last; afterwards rights may be missing.
 */
export function propertyStatements(database: string, properties: Properties): string[] {
  const name = identifier(database)
  const { connectionLimit, grants, settings, labels, comment, owner } = properties
  return [
    ...(connectionLimit >= 0 ? [`ALTER DATABASE ${name} CONNECTION LIMIT ${connectionLimit}`] : []),
    ...settingStatements(database, settings),
    ...labels.map((label) => labelStatement(name, label)),
    ...(comment === null ? [] : [commentStatement(database, comment)]),
    `ALTER DATABASE ${name} OWNER TO ${identifier(owner)}`,
    ...(grants ? grantStatements(name, owner, grants) : []),
  ]
}

/** Returns a statement that makes a database a template or an ordinary one. */
export function templateStatement(database: string, isTemplate: boolean): string {
  return `ALTER DATABASE ${identifier(database)} IS_TEMPLATE ${isTemplate}`
}

/** Returns statements that give a database these settings, for itself or for a role in it. */
export function settingStatements(database: string, settings: Properties['settings']): string[] {
  return settings.map(({ role, setting }) => settingStatement(identifier(database), role, setting))
}

/**
 * Splits the settings and labels of a database into those that the role may give to a new database and a description of
 * the others, which an administrator made. Each is tried on the database itself, where it changes nothing, and rolled back.
 */
export async function tryProperties(
  session: Session,
  database: string,
  properties: Properties,
): Promise<{ allowed: Properties; refused: string[] }> {
  const name = identifier(database)
  const refused: string[] = []
  const isAllowed = async (what: string, statement: string) => {
    const reason = await session.tryOut(statement)
    if (reason !== null) refused.push(`${what} (${reason})`)
    return reason === null
  }
  const settings = []
  for (const one of properties.settings)
    if (await isAllowed(describeSetting(one), settingStatement(name, one.role, one.setting)))
      settings.push(one)
  const labels = []
  for (const one of properties.labels)
    if (await isAllowed(`a security label of ${one.provider}`, labelStatement(name, one))) labels.push(one)
  return { allowed: { ...properties, settings, labels }, refused }
}

/** The values of an application's own parameters, which have a dot in their name, may be secrets. */
function describeSetting({ role, setting }: Properties['settings'][number]): string {
  const whose = role === null ? '' : ` of the role "${role}"`
  return setting.replace(/^([^=]*\.[^=]*)=.*/s, '$1') + whose
}

function labelStatement(name: string, { provider, label }: Properties['labels'][number]): string {
  return `SECURITY LABEL FOR ${identifier(provider)} ON DATABASE ${name} IS ${literal(label)}`
}

/** Returns a statement that sets the comment of a database; null removes it. */
export function commentStatement(database: string, comment: string | null): string {
  return `COMMENT ON DATABASE ${identifier(database)} IS ${comment === null ? 'NULL' : literal(comment)}`
}

/** The privileges of a database (PostgreSQL documentation, "Privileges"): text of the server never becomes SQL. */
const PRIVILEGES = ['CREATE', 'CONNECT', 'TEMPORARY']

/** Revokes everything first, because the default privileges of the owner and PUBLIC may have been revoked. */
function grantStatements(name: string, owner: string, grants: NonNullable<Properties['grants']>): string[] {
  return [
    `REVOKE ALL ON DATABASE ${name} FROM PUBLIC, ${identifier(owner)}`,
    ...grants
      .filter(({ privilege }) => PRIVILEGES.includes(privilege))
      .map(({ grantee, privilege, grantable }) => {
        const to = grantee === null ? 'PUBLIC' : identifier(grantee)
        return `GRANT ${privilege} ON DATABASE ${name} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`
      }),
  ]
}

/** Settings whose value is a list of quoted names (GUC_LIST_QUOTE): `variable_is_guc_list_quote` in dumputils.c. */
const NAME_LISTS = [
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]

function settingStatement(name: string, role: string | null, setting: string): string {
  const separator = setting.indexOf('=')
  const variable = setting.slice(0, separator)
  const value = setting.slice(separator + 1)
  const quoted = variable.split('.').map(identifier).join('.')
  const target = role === null ? `DATABASE ${name}` : `ROLE ${identifier(role)} IN DATABASE ${name}`
  const values = NAME_LISTS.includes(variable.toLowerCase())
    ? splitNames(value).map(literal).join(', ')
    : literal(value)
  return `ALTER ${target} SET ${quoted} TO ${values || "''"}`
}

/** `"$user", public` → `$user`, `public`. */
export function splitNames(list: string): string[] {
  return [...list.matchAll(/"((?:[^"]|"")*)"|([^,\s"]+)/g)].map(
    (match) => match[1]?.replaceAll('""', '"') ?? match[2]!,
  )
}
