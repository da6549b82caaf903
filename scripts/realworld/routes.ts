/** The ways from a database to a copy of it through the commands of the Action. */
import { stripVTControlCharacters } from 'node:util'
import type { Postgres } from '../../lab/postgres/postgres.ts'
import { runAction } from '../../lab/runner/action.ts'
import { tempFolder } from '../../lab/temp.ts'
import type { PostgresClient } from '../../src/tools/postgres/provide-client.ts'
import { type Contents, differences, readContents } from './contents.ts'
import { COPY, dropCopy, makeEmptyCopy } from './copy.ts'

/** A copy must not take over the subscription of its original, says docs/restoring.md. */
const LEFT_OUT = /^without Name: (.*; Type: SUBSCRIPTION;|SUBSCRIPTION )/
const TIMEOUT = 1_800_000

/** What is wrong after a way, a line each. */
export type Problems = string[]

/** A database, and what it holds. */
export interface Subject {
  postgres: Postgres
  client: PostgresClient
  /** The folder of the client comes first on PATH, so that the Action has the same one. */
  path: string
  database: string
  contents: Contents
  /** What `pg_dump | pg_restore` makes of it, as good a result: it orders columns of some children in another way. */
  plain: Contents
}

/** Sends a database through the commands of the Action, each named with what it got wrong. */
export async function ownWays(
  subject: Subject,
  jobs: number,
  report: (way: string, problems: Problems) => void,
): Promise<void> {
  const { postgres, database } = subject
  await using folder = tempFolder('dumps')
  const common = {
    ...{ 'storage-location': folder.path, 'install-tools': 'never', 'owner-and-acl': 'true' },
    ...{ jobs: String(jobs), 'postgres-version': String(subject.client.major) },
  }
  const act = async (inputs: Record<string, string>) => {
    const step = await runAction({ ...common, ...inputs }, { env: { PATH: subject.path }, timeout: TIMEOUT })
    if (step.exitCode === 0) return { key: step.outputs['dump-key']!, problems: [] }
    return { key: '', problems: step.errors.map((error) => stripVTControlCharacters(error)) }
  }
  const arrive = async (way: string, inputs: Record<string, string>) => {
    const { problems } = await act({ ...inputs, 'database-url': postgres.url(COPY) })
    report(way, problems.length > 0 ? problems : await compare(subject))
  }
  const dump = await act({ command: 'dump', 'database-url': postgres.url(database) })
  report('dump', dump.problems)
  if (dump.problems.length === 0) {
    const stored = { 'dump-key': dump.key }
    const check = await act({ ...stored, command: 'verify', 'database-url': postgres.url('postgres') })
    report('verify', check.problems)
    await arrive('restore', { ...stored, command: 'restore' })
    await dropCopy(postgres)
    await makeEmptyCopy(postgres)
    const inPlace = { ...stored, command: 'restore', swap: 'false', overwrite: 'true' }
    await arrive('in place, empty', inPlace)
    await arrive('in place, filled', inPlace)
    await dropCopy(postgres)
  }
  const copy = { command: 'copy', 'source-database-url': postgres.url(database), 'copy-method': 'stream' }
  await arrive('copy', copy)
  await dropCopy(postgres)
}

/** Compares the copy with the source; the caller drops it. */
async function compare({ postgres, client, contents, plain }: Subject): Promise<Problems> {
  if (!(await postgres.databases()).includes(COPY)) return ['there is no copy']
  const found = differences(contents, await readContents(postgres, client, COPY), plain)
  return found.filter((difference) => !LEFT_OUT.test(difference))
}
