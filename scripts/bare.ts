/**
 * `npm run test:bare`: a bare Debian or Ubuntu, with nothing in it. There the built Action dumps a database to S3 and restores
 * it, as in a job's container; and `npm run demo` and `npm test` work in a fresh clone, for root and for an ordinary user,
 * the tests without any network but loopback. Needs root, and about half an hour.
 *
 * `npm run test:bare -- trixie http://mirror/debian` chooses the system; `--tests "role s3"` plays only those tests.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { tempFolder } from '../lab/temp.ts'
import { asAction } from './bare/action.ts'
import { addClones, hostSuite, makeSystem, provideDebootstrap } from './bare/system.ts'
import { asOrdinaryUser, asRoot } from './bare/two-commands.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { tests: { type: 'string', default: '' } },
})

try {
  await main()
  console.log('The bare system dumped and restored, and both commands work in it.')
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('This needs root, for debootstrap and chroot')
  const [suite = hostSuite(), ...mirror] = positionals
  provideDebootstrap()
  await using folder = tempFolder('bare')
  const system = (name: string) => join(folder.path, name)
  console.log(`Making a bare ${suite} …`)
  await makeSystem(system('action'), suite, mirror)
  copy(system('action'), system('user'))
  await asAction(system('action'))
  await addClones(system('user'))
  copy(system('user'), system('root'))
  await asOrdinaryUser(system('user'), values.tests)
  await asRoot(system('root'), values.tests)
}

function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to])
}
