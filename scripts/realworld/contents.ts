/** All that a database holds, as `pg_dump` writes it, in a form that does not depend on the order of objects and rows. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Postgres } from '../../lab/postgres/postgres.ts'
import type { PostgresClient } from '../../src/tools/postgres/provide-client.ts'

const run = promisify(execFile)

/** The text of every object, of every table's rows, and of large objects, by what `pg_dump` calls it. */
export type Contents = Map<string, string>

const HEADER = /^-- (?:Data for )?Name: .*; Type: .*; Schema: .*$/

/** Reads a database. */
export async function readContents(
  postgres: Postgres,
  client: PostgresClient,
  database: string,
): Promise<Contents> {
  const env = { PATH: process.env.PATH, ...postgres.env(database) }
  const { stdout } = await run(client.pgDump, [], { env, maxBuffer: 1 << 30 })
  return parseDump(stdout)
}

function parseDump(text: string): Contents {
  const contents: Contents = new Map()
  let name = 'settings'
  let accessMethod = ''
  let entry: string[] = []
  const finish = () => {
    // A partitioned table has no rows, and so no access method of this kind.
    const hasRows =
      /; Type: (TABLE|MATERIALIZED VIEW);/.test(name) && !entry.join('\n').includes('PARTITION BY')
    const body = [...(hasRows ? [accessMethod] : []), ...sortRows(entry)].join('\n')
    contents.set(name, [...(contents.has(name) ? [contents.get(name)!] : []), body].sort().join('\n'))
  }
  for (const line of text.split('\n')) {
    if (HEADER.test(line)) {
      finish()
      name = line.slice(3)
      entry = []
    } else if (line.startsWith('SET default_table_access_method')) accessMethod = line
    else if (!isNoise(line)) entry.push(line)
  }
  finish()
  return contents
}

/** Empty lines, comments around the headers, the state of the writer, and a token that is random. */
function isNoise(line: string): boolean {
  return (
    line === '' ||
    line === '--' ||
    /^(SET default_tablespace|\\(un)?restrict |-- PostgreSQL database dump)/.test(line)
  )
}

/** The rows between `COPY … FROM stdin` and its end, sorted. */
function sortRows(lines: string[]): string[] {
  const begin = lines.findIndex((line) => /^COPY .* FROM stdin;$/.test(line))
  if (begin < 0) return lines
  const end = lines.indexOf('\\.', begin)
  return [...lines.slice(0, begin + 1), ...lines.slice(begin + 1, end).sort(), ...lines.slice(end)]
}

/** What a copy lacks, has too much, or has differently from the source and from another good copy, a line each. */
export function differences(source: Contents, copy: Contents, other: Contents = source): string[] {
  const names = [...new Set([...source.keys(), ...copy.keys()])]
  return names.flatMap((name) => {
    const [left, right] = [source.get(name), copy.get(name)]
    if (left === right || right === other.get(name)) return []
    if (right === undefined) return [`without ${name}`]
    if (left === undefined) return [`with ${name}`]
    return [`${name}: ${firstDifference(left, right)}`]
  })
}

function firstDifference(left: string, right: string): string {
  const [a, b] = [left.split('\n'), right.split('\n')]
  const at = a.findIndex((line, index) => line !== b[index])
  const show = (line = 'nothing') => line.trim().slice(0, 150)
  return `${show(a[at])} ≠ ${show(b[at < 0 ? a.length : at])}`
}
