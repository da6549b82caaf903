import { ambientConnection, type Connection } from '../database/connection/connection.ts'
import { parseDatabaseUrl } from '../database/connection/database-url.ts'
import type { Environment } from '../process/environment.ts'
import type { Reader } from './reader.ts'

/** The inputs about the databases that a step works on. */
export type DatabaseInputs = Readonly<{
  connection: Connection | null
  /** The source of `copy`. */
  sourceConnection: Connection | null
  connectionFrom: 'database-url' | 'environment'
  maintenanceDatabase: string
  /** The command that opens a tunnel to the server, or empty. */
  tunnelCommand: string
}>

/** Reads the inputs about the databases. Without `database-url`, the variables of libpq say the database. */
export function readDatabases(reader: Reader, environment: Environment): DatabaseInputs {
  const given = reader.text('database-url') !== ''
  return {
    connection: given ? reader.read('database-url', parseDatabaseUrl, null) : ambientConnection(environment),
    connectionFrom: given ? 'database-url' : 'environment',
    sourceConnection: reader.read('source-database-url', parseDatabaseUrl, null),
    maintenanceDatabase: reader.text('maintenance-database'),
    tunnelCommand: reader.text('tunnel-command'),
  }
}
