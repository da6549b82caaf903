import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findClients } from './postgres/clients.ts'
import { tempFolder } from './temp.ts'

/**
 * Makes a folder of clients whose `pg_dump` dumps also the data that it is told to leave out, and returns what a step needs
 * to use it.
 */
export function carelessPgDump(): { inputs: Record<string, string>; env: Record<string, string> } {
  const { path } = tempFolder('clients')
  const { bin, major } = findClients().at(-1)!
  const leaveNothingOut = `for argument do
  shift
  case $argument in --exclude-table-data=*) ;; *) set -- "$@" "$argument" ;; esac
done`
  for (const program of ['pg_dump', 'pg_restore', 'psql']) {
    const file = join(path, program)
    // Of two clients of one major version, the step uses the later release.
    const script = `#!/bin/sh
[ "$1" = --version ] && { echo '${program} (PostgreSQL) ${major}.99'; exit; }
${program === 'pg_dump' ? leaveNothingOut : ''}
exec '${join(bin, program)}' "$@"
`
    writeFileSync(file, script)
    chmodSync(file, 0o755)
  }
  return { inputs: { 'postgres-version': String(major) }, env: { PATH: `${path}:${process.env.PATH}` } }
}
