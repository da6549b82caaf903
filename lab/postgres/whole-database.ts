import type { Contents } from '../../src/database/pg-dump.ts'

/** A dump of everything, which tests narrow. */
export const EVERYTHING: Contents = {
  tables: [],
  excludeTables: [],
  schemas: [],
  excludeSchemas: [],
  excludeTableData: [],
  schemaOnly: false,
  lockWaitTimeout: 60_000,
  pgDumpArgs: [],
}
