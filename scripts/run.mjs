/**
 * Runs a script in TypeScript: `node scripts/run.mjs scripts/demo.ts [argument …]`. It is plain JavaScript and imports no
 * package, because it also runs on Node 20 in a fresh clone. It first provides what the script needs: npm packages once,
 * and programs where this user may install them; otherwise it says in one sentence what to install.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))

const CLIENT = { programs: ['pg_dump', 'pg_restore', 'psql'], package: 'postgresql-client' }
const AWS = { programs: ['aws'], package: 'awscli' }
/** The tests that need it are skipped where it cannot be installed. */
const AGE = { programs: ['age'], package: 'age', optional: true }
const POOLER = { programs: ['pgbouncer'], package: 'pgbouncer' }

/** What scripts call, with the package of Debian and Ubuntu that has it. */
const NEEDS = {
  'scripts/crash.ts': [CLIENT, AWS],
  'scripts/demo.ts': [CLIENT, AWS],
  'scripts/reliability.ts': [CLIENT, AWS, POOLER],
  'scripts/test.ts': [CLIENT, AWS, POOLER, AGE],
  'scripts/test.ts unit/': [],
}

const [script, ...args] = process.argv.slice(2)
try {
  refuseOtherMachines()
  providePrograms(NEEDS[[script, ...args].join(' ')] ?? NEEDS[script] ?? [])
  providePackages()
  if (script) start(script, args)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

function refuseOtherMachines() {
  if (process.platform === 'linux' && process.arch === 'x64') return
  throw new Error(
    `The PostgreSQL servers of the tests exist for Linux on x86-64 only, not ${process.platform} on ${process.arch}`,
  )
}

/** @throws an Error that names all missing programs and packages in one sentence */
function providePrograms(needs) {
  const absent = needs.filter((need) => missing(need).length > 0)
  if (absent.length === 0) return
  const packages = absent.map((need) => need.package)
  const sudo = rootCommand()
  const isDebian = existsSync('/usr/bin/apt-get')
  if (isDebian && sudo) aptInstall(sudo, packages)
  const programs = needs.filter(({ optional }) => !optional).flatMap(missing)
  if (programs.length === 0) return
  const verb = programs.length === 1 ? 'is' : 'are'
  const how = isDebian
    ? `run "apt-get install ${packages.join(' ')}" as root first`
    : `install the PostgreSQL client, the AWS CLI and PgBouncer with the package manager of this system first`
  throw new Error(`${list(programs)} ${verb} missing: ${how}`)
}

/** Programs that cannot be started. Servers are in a folder that only root has in its PATH. */
function missing({ programs }) {
  const env = { ...process.env, PATH: [process.env.PATH, '/usr/sbin'].join(delimiter) }
  return programs.filter((name) => spawnSync(name, ['--version'], { stdio: 'ignore', env }).status !== 0)
}

/** `a, b and c` */
function list(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** What precedes a command that needs root; null where this user may not be root. */
function rootCommand() {
  if (process.getuid() === 0) return []
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : null
}

function aptInstall(sudo, packages) {
  console.log(`Installing ${list(packages)} with apt-get, once`)
  const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3']
  for (const command of [['update'], ['install', '--no-install-recommends', ...packages]]) {
    const [file, ...rest] = [
      ...sudo,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      ...options,
      ...command,
    ]
    spawnSync(file, rest, { stdio: ['ignore', 'ignore', 'inherit'] })
  }
}

function providePackages() {
  if (arePackagesInstalled()) return
  console.log('Installing the npm packages of package-lock.json into node_modules with npm ci, once')
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
  if (spawnSync('npm', ['ci'], options).status !== 0) throw new Error('npm ci failed; its reason is above')
}

/** Whether node_modules holds the versions of package-lock.json: npm notes there what it has installed. */
function arePackagesInstalled() {
  const note = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(note)) return false
  const installed = JSON.parse(readFileSync(note, 'utf8')).packages
  const wanted = Object.entries(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages)
  return wanted.every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  )
}

/** Starts the script with the Node of node_modules, which runs TypeScript, and ends as it does. */
function start(name, rest) {
  const bin = join(root, 'node_modules/.bin')
  const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) }
  const child = spawn(join(bin, 'node'), [join(root, name), ...rest], { stdio: 'inherit', env })
  // The terminal sends Ctrl-C to both; the script decides when it ends.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal ? 1 : 0)
  })
}
