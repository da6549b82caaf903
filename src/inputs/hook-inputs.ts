import { checkSqlFiles } from '../database/sql-file.ts'
import { parseList } from './parse.ts'
import type { Reader } from './reader.ts'

/** The inputs that name files of SQL; each file exists. */
export type HookInputs = Readonly<{
  preDumpHooks: readonly string[]
  preSwapHooks: readonly string[]
  verifySql: readonly string[]
}>

/** Reads the inputs that name files of SQL. */
export function readHooks(reader: Reader): HookInputs {
  const files = (name: 'pre-dump-hooks' | 'pre-swap-hooks' | 'verify-sql') =>
    reader.read(name, (text) => checkSqlFiles(parseList(text)), [])
  return {
    preDumpHooks: files('pre-dump-hooks'),
    preSwapHooks: files('pre-swap-hooks'),
    verifySql: files('verify-sql'),
  }
}
