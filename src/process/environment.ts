/**
 * What every child may see of the job's environment. It is an allow-list: runner images preset `PGPASSWORD`, jobs set
 * `PGHOSTADDR` for something else, and `INPUT_*` carries our own secrets.
 */
const ORDINARY = new Set([
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

/** The same for Windows, whose names have no case: it shows `Path` and `SystemRoot`, and Git's shell there all capitals. */
const ORDINARY_ON_WINDOWS = new Set([
  ...ORDINARY,
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

/** The entries of an environment whose names pass. */
export function pick(environment: Environment, passes: (name: string) => boolean): Record<string, string> {
  const entries = Object.entries(environment).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined && passes(entry[0])
  })
  return Object.fromEntries(entries)
}

/** The least that a tool needs; messages in English, because we read them. */
export function toolEnvironment(
  environment: Environment,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const isOrdinary = (name: string) =>
    platform === 'win32' ? ORDINARY_ON_WINDOWS.has(name.toUpperCase()) : ORDINARY.has(name)
  return { ...pick(environment, isOrdinary), LC_ALL: 'C' }
}

/** The job's environment for a hook of the user's: all of it, without our inputs and anybody's `PG*`. */
export function hookEnvironment(environment: Environment): Record<string, string> {
  return pick(environment, (name) => !/^(INPUT_|STATE_|PG)/.test(name) && name !== 'DATABASE_URL')
}
