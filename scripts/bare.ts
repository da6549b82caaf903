/**
 * `npm run test:bare`: a bare Debian or Ubuntu as a job's container would be one, with Node in it and nothing else. There
 * the built Action dumps a database to S3 and restores it, because it installs the PostgreSQL client and the AWS CLI.
 * Needs root, and takes some minutes. `npm run test:bare -- trixie http://mirror/debian` chooses the system.
 */
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { compareDatabases } from '../lab/postgres/compare.ts'
import { startPostgres } from '../lab/postgres/postgres.ts'
import { loadSample } from '../lab/postgres/sample.ts'
import { inputVariables, root as repository } from '../lab/runner/action-inputs.ts'
import { collectLog } from '../lab/runner/action-log.ts'
import { runnerEnvironment } from '../lab/runner/runner-environment.ts'
import { createFileCommands, parseFileCommand } from '../lab/runner/runner-files.ts'
import { type S3, startS3 } from '../lab/s3/s3.ts'
import { tempFolder } from '../lab/temp.ts'

const run = promisify(execFile)
const NODE = '/usr/local/bin/node'
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const TEN_MINUTES = 600_000

try {
  await main()
  console.log('The bare system dumped and restored.')
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('This needs root, for debootstrap and chroot')
  const [suite = hostSuite(), ...mirror] = process.argv.slice(2)
  provideDebootstrap()
  await using folder = tempFolder('bare')
  console.log(`Making a bare ${suite} …`)
  await makeSystem(folder.path, suite, mirror)
  await using postgres = await startPostgres()
  await using s3 = await startS3()
  await loadSample(postgres, 'shop')

  const dumped = await step(folder.path, s3, { command: 'dump', 'database-url': postgres.url('shop') })
  const key = dumped.outputs['dump-key']
  assert.equal(s3.objects().get(`bare/${key}`)?.size, Number(dumped.outputs['dump-size']))
  assert.ok(s3.objects().has(`bare/${key}.json`), 'the dump has no manifest')
  assert.ok(dumped.lines.some((line) => /^Installing /.test(line)))

  const target = { command: 'restore', 'dump-key': 'latest', 'database-url': postgres.url('preview') }
  const restored = await step(folder.path, s3, target)
  assert.deepEqual(await compareDatabases(postgres, 'shop', postgres, 'preview'), [])
  const again = restored.lines.filter((line) => /^Installing /.test(line))
  assert.deepEqual(again, [], 'the second step installed something again')
}

/** The codename of this machine's system. */
function hostSuite(): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1]
  if (!suite) throw new Error('Which system? Give its codename, such as bookworm')
  return suite
}

function provideDebootstrap(): void {
  if (spawnSync('debootstrap', ['--version']).status === 0) return
  const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3']
  for (const args of [['update'], ['install', '--no-install-recommends', 'debootstrap']])
    spawnSync('apt-get', [...options, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (spawnSync('debootstrap', ['--version']).status !== 0) throw new Error('debootstrap is missing')
}

/** The smallest system that has apt; what this machine needs to reach the outside goes in as well. */
async function makeSystem(folder: string, suite: string, mirror: string[]): Promise<void> {
  const args = ['--variant=minbase', suite, folder, ...mirror]
  await run('debootstrap', args, { timeout: TEN_MINUTES, maxBuffer: 1 << 24 })
  for (const name of ['resolv.conf', 'hosts']) copyFileSync(join('/etc', name), join(folder, 'etc', name))
  const settings = execFileSync('apt-config', ['dump'], { encoding: 'utf8' })
  const reach = settings.split('\n').filter((line) => /^Acquire::(https?|Check|Retries)\b/i.test(line))
  writeFileSync(join(folder, 'etc/apt/apt.conf.d/99host'), `${reach.join('\n')}\n`)
  copyFileSync(process.execPath, join(folder, NODE))
  cpSync(join(repository, 'dist'), join(folder, 'action/dist'), { recursive: true })
  for (const name of ['pg_dump', 'psql', 'aws', 'unzip', 'python3', 'sudo'])
    assert.equal(existsSync(join(folder, 'usr/bin', name)), false, `${name} is there already`)
}

/** Runs the Action in the bare system as the runner does in a job's container. */
async function step(
  folder: string,
  s3: S3,
  inputs: Record<string, string>,
): Promise<{ lines: string[]; outputs: Record<string, string> }> {
  console.log(`The Action: command ${inputs.command}`)
  const temp = join(folder, 'work/_temp')
  const workspace = join(folder, 'work/shop')
  mkdirSync(workspace, { recursive: true })
  const files = createFileCommands(temp)
  const inside = (path: string) => join('/', relative(folder, path))
  const insideFiles = Object.fromEntries(Object.entries(files).map(([name, path]) => [name, inside(path)]))
  const storage = { 'storage-location': `s3://${s3.bucket}/bare/`, 's3-config': s3.config }
  const child = spawn('chroot', [folder, NODE, '/action/dist/index.js'], {
    env: {
      ...runnerEnvironment(inside(temp), inside(workspace), insideFiles as unknown as typeof files),
      PATH,
      ...inputVariables({ ...storage, 's3-endpoint-url': s3.endpoint, ...inputs }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TEN_MINUTES,
  })
  const log = collectLog(child, (line) => {
    if (!/^::(add-mask|debug)::/.test(line)) console.log(`  │ ${line}`)
  })
  await log.ended
  assert.equal(child.exitCode, 0, `${inputs.command} ended with ${child.exitCode ?? child.signalCode}`)
  assert.ok(statSync(files.output).size > 0)
  return { lines: log.lines, outputs: parseFileCommand(files.output) }
}
