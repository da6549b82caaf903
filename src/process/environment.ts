/**
 * Variables of the job that every child may see. It is an allow-list, because runner images preset `PGPASSWORD`, jobs set
 * `PGHOSTADDR` for other purposes, and `INPUT_*` holds the secrets of this action.
 */
const ALLOWED_VARIABLES = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'TMPDIR',
  'TEMP',
  'TMP',
  'TZ',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'KRB5CCNAME',
  'KRB5_CONFIG',
])

/** The same for Windows, where names are case-insensitive: `Path` and `SystemRoot` are all capitals in Git's shell. */
const ALLOWED_VARIABLES_ON_WINDOWS = new Set([
  ...ALLOWED_VARIABLES,
  'PATHEXT',
  'SYSTEMROOT',
  'SYSTEMDRIVE',
  'WINDIR',
  'COMSPEC',
  'PROGRAMFILES',
  'PROGRAMDATA',
  'USERNAME',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
])

export type Environment = Readonly<Record<string, string | undefined>>

/** Returns the entries of an environment whose names `passes` accepts. */
export function pick(environment: Environment, passes: (name: string) => boolean): Record<string, string> {
  const entries = Object.entries(environment).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined && passes(entry[0])
  })
  return Object.fromEntries(entries)
}

/** The minimal environment of a tool. The locale is C, because the action parses the tool's messages. */
export function toolEnvironment(
  environment: Environment,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const isAllowed = (name: string) =>
    platform === 'win32' ? ALLOWED_VARIABLES_ON_WINDOWS.has(name.toUpperCase()) : ALLOWED_VARIABLES.has(name)
  return { ...pick(environment, isAllowed), LC_ALL: 'C' }
}

/** The environment of a user's hook: that of the job without the inputs of the action and without any `PG*`. */
export function hookEnvironment(environment: Environment): Record<string, string> {
  return pick(environment, (name) => !/^(INPUT_|STATE_|PG)/.test(name) && name !== 'DATABASE_URL')
}
