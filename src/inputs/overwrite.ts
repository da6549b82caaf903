import { parseBoolean, parseList } from './parse.ts'
import type { Reader } from './reader.ts'

/** Matches `TABLE public.events_2025`. */
const KIND_AND_NAME = /^[A-Z]+(?: [A-Z]+)* \S/

/** Reads `true`, `false`, or a list of what may be overwritten, which includes the database itself. */
export function readOverwrite(reader: Reader) {
  const none = { overwrite: false, overwriteNamed: [] as readonly string[] }
  return reader.read(
    'overwrite',
    (text) => {
      const named = parseList(text).filter((line) => !/^true$/i.test(line))
      if (named.length > 0 && named.every((line) => KIND_AND_NAME.test(line)))
        return { overwrite: true, overwriteNamed: named as readonly string[] }
      return { ...none, overwrite: parseBoolean(text) }
    },
    none,
  )
}
