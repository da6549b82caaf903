/**
 * What every child may see of the job's environment. It is an allow-list: runner images preset `PGPASSWORD`, jobs set
 * `PGHOSTADDR` for something else, and `INPUT_*` carries our own secrets.
 */
const ORDINARY = [
  'PATH',
  'Path',
  'PATHEXT',
  'HOME',
  'USER',
  'LOGNAME',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'SYSTEMROOT',
  'ComSpec',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
  'ProgramData',
  'TZ',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'KRB5CCNAME',
  'KRB5_CONFIG',
]

export type Environment = Readonly<Record<string, string | undefined>>

/** The entries of an environment whose names pass. */
export function pick(environment: Environment, passes: (name: string) => boolean): Record<string, string> {
  const entries = Object.entries(environment).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined && passes(entry[0])
  })
  return Object.fromEntries(entries)
}

/** The least that a tool needs; messages in English, because we read them. */
export function toolEnvironment(environment: Environment): Record<string, string> {
  return { ...pick(environment, (name) => ORDINARY.includes(name)), LC_ALL: 'C' }
}

/** The job's environment for a hook of the user's: all of it, without our inputs and anybody's `PG*`. */
export function hookEnvironment(environment: Environment): Record<string, string> {
  return pick(environment, (name) => !/^(INPUT_|STATE_|PG)/.test(name) && name !== 'DATABASE_URL')
}
