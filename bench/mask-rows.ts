import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender, Contest } from './contest.ts'
import type { World } from './world.ts'

const FILE = 'pgclone-mask.yml'

/** Three of the ten columns of `people` are masked. The scan reads the others that hold text. */
const RULES = `tables:
  public.people:
    keep: [id, city, street, about, score, joined_at, active]
    columns: {email: email, full_name: name, phone: digits}
`

/** One row of a hundred. */
const SUBSET_FILE = 'pgclone-subset.yml'
const SUBSET = `tables:
  public.people:
    rows: id % 100 = 0
    keep: [id, email, full_name, phone, city, street, about, score, joined_at, active]
`

const PEER = 'pg_dump -Fc > file'

const toFile: Contender = {
  name: PEER,
  ours: false,
  run: (world) => world.shell('"$BIN/pg_dump" -Fc > "$FILE"', world.data),
}

function ours(name: string, inputs: Record<string, string>): Contender {
  return {
    name: `ours to a file, ${name}`,
    ours: true,
    run: (world) =>
      world.action({ 'database-url': world.url(world.data), ...world.storage('folder'), ...inputs }),
    size: (world) => world.storedBytes,
  }
}

const MASK = { mask: FILE, 'mask-key': 'a key for benchmarks' }
const masked = ours('masked', MASK)

export const maskContests: Contest[] = [
  {
    id: 'dump-masked',
    title: 'Masked dump of 1 GB, three columns of ten',
    data: 'people',
    rounds: 2,
    contenders: [
      toFile,
      ours('not masked', {}),
      masked,
      ours('masked, without the scan', { ...MASK, 'leak-scan': 'off' }),
    ],
    headline: { ours: masked.name, peer: PEER, what: 'A masked dump of 1 GB to a file' },
    prepare: async (world: World) => writeFileSync(join(world.folder, FILE), RULES),
  },
  {
    id: 'dump-subset',
    title: 'Subset of 1 % of 1 GB',
    data: 'people',
    rounds: 2,
    contenders: [ours('all rows', {}), ours('1 % of the rows', { mask: SUBSET_FILE, 'leak-scan': 'off' })],
    headline: null,
    prepare: async (world: World) => writeFileSync(join(world.folder, SUBSET_FILE), SUBSET),
  },
]
