import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../lab/port.ts'
import { descendants, isAlive, kill } from '../../lab/processes.ts'
import { startS3 } from '../../lab/s3/s3.ts'
import {
  DUMP,
  describeEnd,
  describeObject,
  killAll,
  killProgram,
  type NaiveWorld,
  until,
} from './naive-world.ts'

/** What happens in a scenario to a pipeline that people write by hand: really run, told in a sentence. */
export type Naive = (world: NaiveWorld) => Promise<string>

const always = Number.POSITIVE_INFINITY
const through = ({ proxy }: NaiveWorld) => ({ PGHOST: proxy.host, PGPORT: String(proxy.port) })
const result = (world: NaiveWorld, end: Parameters<typeof describeEnd>[0]) =>
  `${describeEnd(end)}, ${describeObject(world)}`

/** A dump whose connection stalls in the middle. */
function stalled(world: NaiveWorld) {
  world.proxy.stallAfter(10_000_000)
  const before = world.proxy.bytes.server
  const started = world.start(DUMP, through(world))
  return { started, flowing: until(() => world.proxy.bytes.server - before >= 10_000_000) }
}

export const DUMPS: Readonly<Record<number, Naive>> = {
  1: async (world) => {
    const { started, flowing } = stalled(world)
    await flowing
    await killProgram(started, /pg_dump/)
    return result(world, await started.done)
  },
  2: async (world) => result(world, await world.shell(DUMP, { PGPORT: String(await freePort()) })),
  4: async (world) => {
    await using session = await world.postgres.connect('app')
    await session.query('begin; lock table bulk in access exclusive mode')
    return result(world, await world.shell(DUMP, {}, 8000))
  },
  7: async (world) => {
    world.proxy.stallAfter(5_000_000)
    return result(world, await world.shell(DUMP, through(world), 8000))
  },
  8: async (world) => {
    // A limit of the shell: it stops the file where a full disk would.
    const end = await world.shell('ulimit -f 4000; pg_dump -Fc -Z0 > naive.dump')
    return `${describeEnd(end)}, a file of ${statSync(join(world.folder, 'naive.dump')).size} bytes under the final name`
  },
  9: async (world) => {
    const { started, flowing } = stalled(world)
    await flowing
    await until(() => world.s3.uploads().length > 0)
    await killProgram(started, /aws/)
    world.proxy.cutNow('reset')
    return result(world, await started.done)
  },
  10: async (world) => {
    const { started, flowing } = stalled(world)
    await flowing
    const programs = descendants(started.child.pid!)
    process.kill(started.child.pid!, 'SIGINT')
    await sleep(7500)
    process.kill(started.child.pid!, 'SIGTERM')
    await sleep(2500)
    const living = programs.filter(({ pid }) => isAlive(pid))
    for (const { pid } of living) kill(pid, 'SIGKILL')
    return `${living.length} of ${programs.length} programs still run after ten seconds; ${describeObject(world)}`
  },
  11: async (world) => {
    const { started, flowing } = stalled(world)
    await flowing
    await until(() => world.s3.uploads().length > 0)
    killAll(started)
    return `${describeObject(world)}, for good`
  },
  12: async (world) => {
    world.s3.quirks.maxParts = 1
    const end = await world.shell(DUMP)
    delete world.s3.quirks.maxParts
    return `${result(world, end)}, after the whole dump was read`
  },
  13: async (world) => {
    const action = { type: 'error', status: 400, code: 'ExpiredToken' } as const
    world.s3.fault({ operation: 'UploadPart', nth: 2, times: always, action })
    world.s3.fault({ operation: 'AbortMultipartUpload', times: always, action })
    return result(world, await world.shell(DUMP))
  },
  14: async (world) => {
    const action = { type: 'error', status: 503, code: 'SlowDown' } as const
    world.s3.fault({ operation: 'UploadPart', times: always, action })
    return result(world, await world.shell(DUMP, { AWS_MAX_ATTEMPTS: '2' }))
  },
  15: async (world) => {
    await using store = await startS3({ tls: true, quirks: { keepChunkFraming: true } })
    const more = { AWS_ENDPOINT_URL: store.endpoint, AWS_REQUEST_CHECKSUM_CALCULATION: 'when_supported' }
    const env = { ...store.env, ...more }
    const end = await world.shell('head -c 1000000 /dev/zero | aws s3 cp - s3://backups/naive.dump', env)
    const size = store.objects().get('naive.dump')?.size
    return `${describeEnd(end)}, an object of ${size} bytes where 1000000 were sent`
  },
  16: async (world) => {
    world.s3.quirks.requireChecksum = true
    const end = await world.shell(DUMP, { AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required' })
    delete world.s3.quirks.requireChecksum
    return result(world, end)
  },
  17: async (world) => {
    const ends = await Promise.all([world.shell(DUMP), world.shell(DUMP)])
    return `${ends.map(describeEnd).join(' and ')}, ${world.s3.objects().size} object: the last one won, and nobody was told`
  },
  27: async (world) => {
    const end = await world.shell(`PATH=/nothing; /usr/bin/env true; ${DUMP}`)
    return `${describeEnd(end)}, in the middle of the job`
  },
  35: async (world) => {
    const folder = join(world.folder, 'nightly')
    const night = `pg_dump -Fc > $1.dump; ls -1r *.dump | tail -n +4 | xargs -r rm`
    const script = `mkdir -p nightly; cd nightly; night() { ${night}; }; for n in 1 2 3; do night $n; done; export PGPORT=1; for n in 4 5 6; do night $n; done`
    const end = await world.shell(script)
    const good = readdirSync(folder).filter((name) => statSync(join(folder, name)).size > 0).length
    return `${describeEnd(end)}, ${good} of 3 good dumps left after three bad nights`
  },
  36: async (world) => {
    const end = await world.shell(
      'mkdir -p mixed; cd mixed; touch -d yesterday precious.dump; for n in 1 2 3; do pg_dump -Fc > $n.dump; done; ls -1t *.dump | tail -n +4 | xargs -r rm',
    )
    const kept = readdirSync(join(world.folder, 'mixed')).includes('precious.dump')
    return `${describeEnd(end)}, and a file that was none of its dumps is ${kept ? 'there' : 'deleted'}`
  },
}
