import { DatabaseError, identifier, literal, type Session } from './connection/session.ts'
import type { Server } from './server.ts'

/** How a database stores and sorts text. A copy with another locale sorts, compares and indexes text differently. */
export type Locale = {
  encoding: string
  collate: string
  ctype: string
  provider: 'libc' | 'icu' | 'builtin'
  /** The provider's own locale, with `icu` and `builtin`. */
  locale: string | null
}

/** Returns the locale of a database, or null when it does not exist. */
export async function readLocale(session: Session, server: Server, database: string): Promise<Locale | null> {
  const provider = server.major >= 15 ? 'datlocprovider' : `'c'::"char"`
  const locale = server.major >= 17 ? 'datlocale' : server.major >= 15 ? 'daticulocale' : 'NULL'
  const [row] = await session.query<Locale>(`
    SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype,
           CASE ${provider} WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS provider,
           ${locale}::text AS locale
    FROM pg_database WHERE datname = ${literal(database)}`)
  return row ?? null
}

/** Returns a `CREATE DATABASE` from template0, because a copy must not contain objects of template1. */
export function createStatement(
  name: string,
  server: Server,
  locale: Locale | null,
  tablespace: string | null,
): string {
  const options = [`CREATE DATABASE ${identifier(name)} TEMPLATE template0`]
  if (locale) {
    options.push(
      `ENCODING ${literal(locale.encoding)} LC_COLLATE ${literal(locale.collate)} LC_CTYPE ${literal(locale.ctype)}`,
    )
    if (server.major >= 15) options.push(`LOCALE_PROVIDER ${literal(locale.provider)}`)
    if (locale.provider === 'icu' && locale.locale) options.push(`ICU_LOCALE ${literal(locale.locale)}`)
    if (locale.provider === 'builtin' && locale.locale)
      options.push(`BUILTIN_LOCALE ${literal(locale.locale)}`)
  }
  // pg_default is the default; naming it needs a right on it that only superusers have by default.
  if (tablespace && tablespace !== 'pg_default') options.push(`TABLESPACE ${identifier(tablespace)}`)
  return options.join(' ')
}

/**
 * Invalid locale, provider or encoding: wrong_object_type, invalid_parameter_value, undefined_object, syntax_error,
 * invalid_object_definition, feature_not_supported.
 */
const LOCALE_REFUSED = ['42809', '22023', '42704', '42601', '42P17', '0A000']

/**
 * Creates a database with a locale, or with the server's own if the server does not have that locale.
 *
 * @returns the server's reason for refusing the locale, else null
 */
export async function createDatabase(
  session: Session,
  server: Server,
  name: string,
  wanted: { locale: Locale | null; tablespace: string | null },
): Promise<string | null> {
  try {
    await session.execute(createStatement(name, server, wanted.locale, wanted.tablespace))
    return null
  } catch (error) {
    if (!(error instanceof DatabaseError) || !wanted.locale || !LOCALE_REFUSED.includes(error.sqlstate))
      throw error
    await session.execute(createStatement(name, server, null, wanted.tablespace))
    return error.message
  }
}
