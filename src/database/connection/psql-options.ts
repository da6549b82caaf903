/** Options of every psql that the action starts: it reads no settings of the user, and never asks for a password. */
export const PSQL_OPTIONS: readonly string[] = ['--no-psqlrc', '--quiet', '--no-password']

/** The same for a script, which must end at its first error. */
export const PSQL_SCRIPT_OPTIONS: readonly string[] = [...PSQL_OPTIONS, '--set=ON_ERROR_STOP=1']
