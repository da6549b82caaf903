import assert from 'node:assert/strict'
import { type Ended, inside, TESTER } from './system.ts'

/** Proves `npm run demo` and `npm test` for an ordinary user, who is told at once what to install, and who then need not be root. */
export async function asOrdinaryUser(folder: string, words: string): Promise<void> {
  const at = (command: string, network = true) =>
    inside(folder, `cd ${TESTER.home}/pgclone-action && ${command}`, { user: TESTER, network })
  refused(await at('npm run --silent demo'), ['pg_dump', 'pg_restore', 'psql', 'aws'])
  const sentence = refused(await at('npm test --silent'), [
    'pg_dump',
    'pg_restore',
    'psql',
    'aws',
    'pgbouncer',
  ])
  const install = /apt-get install ([\w -]+)/
    .exec(sentence)![0]
    .replace('install', 'install -q -y --no-install-recommends')
  succeeded(await inside(folder, install, { quiet: true }))
  await bothSucceed('an ordinary user', at, words)
}

/** Proves the same for root, for whom both install what is missing. */
export async function asRoot(folder: string, words: string): Promise<void> {
  const at = (command: string, network = true) =>
    inside(folder, `cd /root/pgclone-action && ${command}`, { network })
  await bothSucceed('root', at, words)
}

type Run = (command: string, network?: boolean) => Promise<Ended>

async function bothSucceed(who: string, run: Run, words: string): Promise<void> {
  const demo = succeeded(await run('npm run --silent demo'))
  assert.ok(demo.lines.some((line) => /All of it came back/.test(line)))
  const noise = demo.lines.filter((line) => /EBADENGINE|npm warn|stack|^\s+at /i.test(line))
  assert.deepEqual(noise, [], 'npm ci or the demo complains')
  // The first run may install what only the tests need; the second one has no network but loopback.
  succeeded(await run('npm test --silent -- project/house'))
  const tests = succeeded(await run(`npm test --silent -- ${words}`, false))
  const counts = tests.lines.filter((line) => /^# (tests|pass|fail|skipped)|^The tests took/.test(line))
  console.log(
    `As ${who}: npm run demo took ${demo.seconds} s, npm test ${tests.seconds} s (${counts.join(', ')})`,
  )
}

/** The one sentence that names all programs. */
function refused({ code, lines }: Ended, programs: string[]): string {
  assert.equal(code, 1)
  const said = lines.filter((line) => line.trim() !== '')
  assert.equal(said.length, 1, `not one sentence: ${said.join('\n')}`)
  for (const program of programs) assert.match(said[0]!, new RegExp(`\\b${program}\\b`))
  return said[0]!
}

function succeeded(ended: Ended): Ended {
  assert.equal(ended.code, 0, ended.lines.slice(-40).join('\n'))
  return ended
}
