import type { Inputs, Place } from '../e2e/bench.ts'

/**
 * Who is killed: our process alone, as the kernel does when memory is short; the runner with everything that runs on
 * it; one of the programs that we started; or the PostgreSQL server.
 */
export type Victim = 'action' | 'runner' | 'pg_dump' | 'pg_restore' | 'psql' | 'aws' | 'server'

export type Operation = {
  name: string
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

/** Everything that changes something. */
export const OPERATIONS: readonly Operation[] = [
  { name: 'dump', place: 'folder', database: 'app', inputs: dumped, victims: [...onServer, 'pg_dump'] },
  { name: 'dump', place: 's3', database: 'app', inputs: dumped, victims: [...onServer, 'pg_dump', 'aws'] },
  {
    ...{ name: 'restore with one job', place: 's3', database: 'live', inputs: restored({ jobs: '1' }) },
    victims: [...onServer, 'pg_restore', 'aws'],
  },
  {
    ...{ name: 'restore with two jobs', place: 'folder', database: 'live', inputs: restored({ jobs: '2' }) },
    victims: [...onServer, 'pg_restore'],
  },
  {
    ...{ name: 'restore in place', place: 'folder', database: 'live', inputs: restored({ swap: 'false' }) },
    victims: [...onServer, 'pg_restore'],
  },
  {
    ...{ name: 'template build', place: 'folder', database: 'live' },
    inputs: restored({ 'template-cache': '1' }),
    victims: [...onServer, 'pg_restore'],
  },
  {
    ...{ name: 'copy by the stream', place: 'folder', database: 'live', inputs: copied('stream') },
    victims: [...onServer, 'pg_dump', 'pg_restore'],
  },
  {
    ...{ name: 'copy by template', place: 'folder', database: 'live', inputs: copied('template') },
    victims: onServer,
  },
  { name: 'prune', place: 'folder', database: '', inputs: pruned, victims: always },
  { name: 'prune', place: 's3', database: '', inputs: pruned, victims: [...always, 'aws'] },
  {
    ...{ name: 'drop', place: 'folder', database: 'doomed', inputs: () => ({ command: 'drop' }) },
    victims: onServer,
  },
]
