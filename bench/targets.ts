import { availableParallelism } from 'node:os'
import { type Result, ratioOf } from './contest.ts'
import { ONE, SEVERAL } from './link-rows.ts'

/** What is measured of a contest: its contenders in the order of the contest. */
export type Outcome = { id: string; title: string; headline: string | null; results: Result[] }

/** A ratio that is wanted: how many times as fast as a peer at least, or how many times its time at most. */
export type Target = { work: string; contest: string; ours: string; peer: string } & (
  | { atLeast: number }
  | { atMost: number }
)

const ZSTD = 'ours to a file, zstd'
const S3 = { ours: 'ours to S3, zstd', peer: 'pg_dump -Fc | aws s3 cp' }
const FROM_S3 = { ours: 'ours from S3', peer: 'aws s3 cp | pg_restore' }
const FILE = `pg_restore -j${availableParallelism()} file`
const SPLIT = `pgcopydb clone, ${availableParallelism()} jobs, split tables`
const LINK = { ours: `ours, ${SEVERAL}`, peer: `ours, ${ONE}` }
const MANY = { tables: '20,000 tables', partitions: '5,000 partitions', objects: '200,000 large objects' }

/** Every ratio that a row of the page must reach. */
export const TARGETS: readonly Target[] = [
  dump('dump to a file, 1 GB', { ours: ZSTD, peer: 'pg_dump -Fc > file', atLeast: 2 }),
  dump('dump to a file, 1 GB, beside the floor', {
    ...{ ours: ZSTD, peer: 'floor: pg_dump -Fc -Z0 > /dev/null', atMost: 1.05 },
  }),
  dump('dump to S3, 1 GB', { ...S3, atLeast: 1.7 }),
  dump('dump to S3 with gzip, 1 GB', { ...S3, ours: 'ours to S3, gzip', atLeast: 1 }),
  { work: 'dump to S3, 100 MB', contest: 'dump-medium', ...S3, atMost: 1.15 },
  { work: 'restore from S3 by full key, 1 GB', contest: 'restore-large', ...FROM_S3, atLeast: 1.15 },
  { work: 'restore from S3 by full key, 100 MB', contest: 'restore-medium', ...FROM_S3, atMost: 1.2 },
  {
    work: 'restore of one large table',
    ...{ contest: 'restore-table', ours: 'ours from a file', peer: FILE, atLeast: 1.4 },
  },
  ...(['dump', 'restore'] as const).flatMap((verb) => [
    { work: `${verb} of many tables, slow link`, contest: `link-tables-${verb}`, ...LINK, atLeast: 3 },
    { work: `${verb} of one table, slow link`, contest: `link-table-${verb}`, ...LINK, atLeast: 3 },
    { work: `${verb} of one table of 1 GB, slow link`, contest: `link-large-${verb}`, ...LINK, atLeast: 3 },
  ]),
  copy('copy by stream, 1 GB', { peer: 'pg_dump -Z0 | pg_restore', atLeast: 1 }),
  copy('copy by stream, 1 GB, beside pgcopydb', { peer: SPLIT, atLeast: 1.3 }),
  {
    work: 'preview from a template',
    ...{ contest: 'restore-large', ours: 'ours from a template', peer: 'ours from S3', atLeast: 5 },
  },
  ...Object.entries(MANY).flatMap(([data, what]) => [
    {
      work: `dump of ${what}`,
      ...{ contest: `dump-${data}`, ours: ZSTD, peer: 'pg_dump -Fc > file', atMost: 1.2 },
    },
    {
      work: `restore of ${what}`,
      ...{ contest: `restore-${data}`, ours: 'ours from a file', peer: FILE, atMost: 1.2 },
    },
  ]),
]

/** The target of the memory, as notes name it. */
export const MEMORY = 'memory of our process, every row'

/** The most that the process of the action may hold, in any row. */
const MAX_RESIDENT_BYTES = 250e6

function dump(
  work: string,
  rest: { ours: string; peer: string } & ({ atLeast: number } | { atMost: number }),
) {
  return { work, contest: 'dump-large', ...rest }
}

function copy(work: string, rest: { peer: string; atLeast: number }) {
  return { work, contest: 'copy-large', ours: 'ours: copy, stream', ...rest }
}

/** What a target came to. */
export type Verdict = { work: string; target: string; measured: string; met: boolean }

/** Compares a target with what was measured; null if its contest did not run, or a program of it is not installed. */
export function judge(target: Target, outcomes: readonly Outcome[]): Verdict | null {
  const results = outcomes.find(({ id }) => id === target.contest)?.results ?? []
  const ours = results.find(({ name }) => name === target.ours)
  const peer = results.find(({ name }) => name === target.peer)
  if (!ours || !peer) return null
  const ratio = ratioOf(ours, peer)
  const beside = `\`${target.peer.replaceAll('|', '\\|')}\``
  return 'atLeast' in target
    ? {
        work: target.work,
        target: `at least ${times(target.atLeast)} as fast as ${beside}`,
        measured: times(1 / ratio),
        met: rounded(1 / ratio) >= target.atLeast,
      }
    : {
        work: target.work,
        target: `at most ${times(target.atMost)} the time of ${beside}`,
        measured: times(ratio),
        met: rounded(ratio) <= target.atMost,
      }
}

/** Compares the memory of the action with what it may hold, over all contests that ran. */
export function judgeMemory(outcomes: readonly Outcome[]): Verdict {
  const own = outcomes.flatMap(({ title, results }) =>
    results.filter(({ ours }) => ours).map(({ ownPeak }) => ({ title, ownPeak })),
  )
  const most = own.reduce((a, b) => (b.ownPeak > a.ownPeak ? b : a))
  const mega = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
  return {
    work: MEMORY,
    target: `at most ${mega(MAX_RESIDENT_BYTES)}`,
    measured: `${mega(most.ownPeak)} (${most.title})`,
    met: most.ownPeak <= MAX_RESIDENT_BYTES,
  }
}

/** The page shows two decimals, and a target is judged by what the page shows. */
function rounded(ratio: number): number {
  return Number(ratio.toFixed(2))
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)} ×`
}
