import { parseArguments } from './parse.ts'
import type { Reader } from './reader.ts'

/** The inputs that choose what is dumped and restored. */
export type ContentInputs = Readonly<{
  tables: readonly string[]
  excludeTables: readonly string[]
  schemas: readonly string[]
  excludeSchemas: readonly string[]
  excludeTableData: readonly string[]
  schemaOnly: boolean
  /** Whether the roles of the server are stored with a dump. */
  globals: boolean
  /** Whether filters may leave out what the rest of the dump needs. */
  allowUnrestorable: boolean
  pgDumpArgs: readonly string[]
  pgRestoreArgs: readonly string[]
}>

/** Reads the inputs that choose what is dumped and restored. */
export function readContents(reader: Reader): ContentInputs {
  return {
    tables: reader.list('tables'),
    excludeTables: reader.list('exclude-tables'),
    schemas: reader.list('schemas'),
    excludeSchemas: reader.list('exclude-schemas'),
    excludeTableData: reader.list('exclude-table-data'),
    schemaOnly: reader.boolean('schema-only'),
    globals: reader.boolean('globals'),
    allowUnrestorable: reader.boolean('allow-unrestorable'),
    pgDumpArgs: reader.read('pg-dump-args', (text) => parseArguments(text, 'pg_dump'), []),
    pgRestoreArgs: reader.read('pg-restore-args', (text) => parseArguments(text, 'pg_restore'), []),
  }
}
