import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { root as repository } from '../../lab/runner/action-inputs.ts'
import { collectLog } from '../../lab/runner/action-log.ts'

const run = promisify(execFile)
const HOUR = 3_600_000
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The user without rights of a bare system. */
export const TESTER = { name: 'tester', id: 1000, home: '/home/tester' }

/** The codename of this machine's system. */
export function hostSuite(): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1]
  if (!suite) throw new Error('Which system? Give its codename, such as bookworm')
  return suite
}

/** Installs what makes and enters bare systems. */
export function provideDebootstrap(): void {
  const missing = () =>
    ['debootstrap', 'ip', 'unshare'].filter(
      (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
    )
  if (missing().length === 0) return
  const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3']
  for (const args of [
    ['update'],
    ['install', '--no-install-recommends', 'debootstrap', 'iproute2', 'util-linux'],
  ])
    spawnSync('apt-get', [...options, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (missing().length > 0) throw new Error(`${missing().join(' and ')} is missing`)
}

/** Makes the smallest system that has apt; what this machine needs to reach the outside goes in as well. */
export async function makeSystem(folder: string, suite: string, mirror: string[]): Promise<void> {
  const args = ['--variant=minbase', suite, folder, ...mirror]
  await run('debootstrap', args, { timeout: HOUR, maxBuffer: 1 << 24 })
  for (const name of ['resolv.conf', 'hosts']) copyFileSync(join('/etc', name), join(folder, 'etc', name))
  const settings = execFileSync('apt-config', ['dump'], { encoding: 'utf8' })
  const reach = settings.split('\n').filter((line) => /^Acquire::(https?|Check|Retries)\b/i.test(line))
  writeFileSync(join(folder, 'etc/apt/apt.conf.d/99host'), `${reach.join('\n')}\n`)
  const certificates = process.env.NODE_EXTRA_CA_CERTS
  if (certificates) {
    mkdirSync(dirname(join(folder, certificates)), { recursive: true })
    copyFileSync(certificates, join(folder, certificates))
  }
  for (const name of ['pg_dump', 'psql', 'aws', 'unzip', 'python3', 'sudo'])
    assert.equal(existsSync(join(folder, 'usr/bin', name)), false, `${name} is there already`)
}

/** Adds what the README asks for (git, and the Node and npm that run this script), a user, and a clone for the user and for root. */
export async function addClones(folder: string): Promise<void> {
  await inside(folder, 'apt-get -q -y update && apt-get -q -y install --no-install-recommends git', {
    quiet: true,
  })
  const { npm_node_execpath: node, npm_execpath: npm } = process.env
  if (!node || !npm)
    throw new Error('Run this with "npm run test:bare": its Node and its npm go into the bare system')
  copyFileSync(node, join(folder, 'usr/local/bin/node'))
  cpSync(dirname(dirname(npm)), join(folder, 'usr/local/lib/node_modules/npm'), { recursive: true })
  const script = '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n'
  writeFileSync(join(folder, 'usr/local/bin/npm'), script, { mode: 0o755 })
  const { name, id, home } = TESTER
  appendFileSync(join(folder, 'etc/passwd'), `${name}:x:${id}:${id}::${home}:/bin/sh\n`)
  appendFileSync(join(folder, 'etc/group'), `${name}:x:${id}:\n`)
  for (const place of [home, '/root'])
    await run('git', [
      'clone',
      '--quiet',
      '--no-hardlinks',
      repository,
      join(folder, place, 'pgclone-action'),
    ])
  await run('chown', ['-R', `${id}:${id}`, join(folder, home)])
}

/** How a command in a bare system ended. */
export type Ended = { code: number | null; lines: string[]; seconds: number }

type InsideOptions = { user?: typeof TESTER; network?: boolean; quiet?: boolean }

/** Runs a shell command in a bare system, in namespaces that end with it. Without network there is nothing but loopback. */
export async function inside(folder: string, command: string, options: InsideOptions = {}): Promise<Ended> {
  const { user, network = true, quiet = false } = options
  const started = performance.now()
  const prepare = [
    `mount -t proc proc ${folder}/proc`,
    `mount --rbind /dev ${folder}/dev`,
    ...(network ? [] : ['ip link set lo up']),
    `exec chroot ${user ? `--userspec=${user.id}:${user.id}` : ''} ${folder} /bin/sh -c "$1"`,
  ].join(' && ')
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', ...(network ? [] : ['--net'])]
  const child = spawn('unshare', [...namespaces, 'sh', '-c', prepare, 'sh', command], {
    env: { ...variables(user), DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: HOUR,
  })
  const log = collectLog(child, (line) => {
    if (!quiet) console.log(`  │ ${line}`)
  })
  await log.ended
  const seconds = Math.round((performance.now() - started) / 1000)
  return { code: child.exitCode, lines: log.lines, seconds }
}

function variables(user: typeof TESTER | undefined): Record<string, string> {
  const { NODE_EXTRA_CA_CERTS: certificates } = process.env
  return {
    PATH,
    HOME: user?.home ?? '/root',
    USER: user?.name ?? 'root',
    LANG: 'C.UTF-8',
    ...(certificates && { NODE_EXTRA_CA_CERTS: certificates }),
  }
}
