import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import type { Contender, Contest } from './contest.ts'
import type { World } from './world.ts'

const identity = await generateX25519Identity()
const recipient = await identityToRecipient(identity)

/** Each kind has a config of its own, so that a restore finds its dump. */
const KINDS = {
  'not encrypted': { config: 'plain' },
  encrypted: { config: 'sealed', 'encrypt-to': recipient },
}
type Kind = keyof typeof KINDS

const dump = (world: World, kind: Kind) =>
  world.action({ 'database-url': world.url(world.data), ...world.storage('folder'), ...KINDS[kind] })

function dumped(kind: Kind): Contender {
  return {
    name: `ours to a file, ${kind}`,
    ours: true,
    run: (world) => dump(world, kind),
    size: (world) => world.storedBytes,
  }
}

function restored(kind: Kind): Contender {
  return {
    name: `ours from a file, ${kind}`,
    ours: true,
    before: (world) => world.recreateTarget(),
    run: (world) =>
      world.action({
        ...{ command: 'restore', overwrite: 'true', 'database-url': world.url('restored') },
        ...{ 'dump-key': 'latest', config: KINDS[kind].config, ...world.storage('folder') },
        ...(kind === 'encrypted' ? { 'age-identity': identity } : {}),
      }),
  }
}

export const encryptionContests: Contest[] = [
  {
    id: 'dump-encrypted',
    title: 'Encrypted dump of 1 GB',
    data: 'large',
    rounds: 2,
    contenders: [dumped('not encrypted'), dumped('encrypted')],
    headline: null,
  },
  {
    id: 'restore-encrypted',
    title: 'Restore of an encrypted dump of 1 GB',
    data: 'large',
    rounds: 2,
    contenders: [restored('not encrypted'), restored('encrypted')],
    headline: null,
    prepare: async (world) => {
      await dump(world, 'not encrypted')
      await dump(world, 'encrypted')
    },
  },
]
