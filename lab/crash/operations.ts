import type { Inputs, Place } from '../benches/action-bench.ts'

/**
 * Who is killed: our process alone, as the kernel does when memory is short; the runner with everything that runs on
 * it; one of the programs that we started; or the PostgreSQL server.
 */
const VICTIMS = ['action', 'runner', 'pg_dump', 'pg_restore', 'psql', 'aws', 'server'] as const
export type Victim = (typeof VICTIMS)[number]

/** Everything that changes something. */
export const KINDS = ['dump', 'restore', 'copy', 'template build', 'prune', 'drop'] as const
export type Kind = (typeof KINDS)[number]

export type Operation = {
  kind: Kind
  /** How it is done, if there are several ways. */
  way: string
  place: Place
  /** The database of the step; none for prune. */
  database: '' | 'app' | 'live' | 'doomed'
  inputs: (known: { key: string; sourceUrl: string }) => Inputs
  victims: readonly Victim[]
}

/** Keys of dumps that the matrix makes, and of those that it prunes. */
export const MADE = 'crash'
export const PRUNED = 'shop/app/pruned'

const always = ['action', 'runner'] as const
const onServer = [...always, 'psql', 'server'] as const
const restored = (more: Inputs = {}) => {
  return ({ key }: { key: string }): Inputs => ({ command: 'restore', 'dump-key': key, ...more })
}
const copied = (method: string) => {
  return ({ sourceUrl }: { sourceUrl: string }): Inputs => ({
    ...{ command: 'copy', 'source-database-url': sourceUrl, 'copy-method': method },
    overwrite: 'true',
  })
}
const dumped = () => ({ command: 'dump', config: MADE, compression: 'none' })
const pruned = () => ({ command: 'prune', 'dump-key': PRUNED, 'keep-last': '2' })

/** The ways in which each of them is done. What dies at the database's end is played without a store. */
export const OPERATIONS: readonly Operation[] = [
  {
    kind: 'dump',
    way: '',
    place: 'folder',
    database: 'app',
    inputs: dumped,
    victims: [...onServer, 'pg_dump'],
  },
  {
    kind: 'dump',
    way: '',
    place: 's3',
    database: 'app',
    inputs: dumped,
    victims: [...onServer, 'pg_dump', 'aws'],
  },
  {
    ...{
      kind: 'restore',
      way: 'with one job',
      place: 's3',
      database: 'live',
      inputs: restored({ jobs: '1' }),
    },
    victims: [...always, 'pg_restore', 'aws'],
  },
  {
    ...{
      kind: 'restore',
      way: 'with two jobs',
      place: 'folder',
      database: 'live',
      inputs: restored({ jobs: '2' }),
    },
    victims: [...onServer, 'pg_restore'],
  },
  {
    ...{
      kind: 'restore',
      way: 'in place',
      place: 'folder',
      database: 'live',
      inputs: restored({ swap: 'false' }),
    },
    victims: [...onServer, 'pg_restore'],
  },
  {
    ...{ kind: 'template build', way: '', place: 'folder', database: 'live' },
    inputs: restored({ 'template-cache': '1' }),
    victims: [...onServer, 'pg_restore'],
  },
  {
    ...{ kind: 'copy', way: 'by the stream', place: 'folder', database: 'live', inputs: copied('stream') },
    victims: [...onServer, 'pg_dump', 'pg_restore'],
  },
  {
    ...{ kind: 'copy', way: 'by template', place: 'folder', database: 'live', inputs: copied('template') },
    victims: onServer,
  },
  { kind: 'prune', way: '', place: 'folder', database: '', inputs: pruned, victims: always },
  { kind: 'prune', way: '', place: 's3', database: '', inputs: pruned, victims: [...always, 'aws'] },
  {
    ...{ kind: 'drop', way: '', place: 'folder', database: 'doomed', inputs: () => ({ command: 'drop' }) },
    victims: onServer,
  },
]

/** The victims of all operations of a kind. */
export function victimsOf(kind: Kind): Victim[] {
  const all = OPERATIONS.filter((one) => one.kind === kind).flatMap(({ victims }) => victims)
  return VICTIMS.filter((one) => all.includes(one))
}
