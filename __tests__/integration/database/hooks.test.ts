import assert from 'node:assert/strict'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { hookCommand, runHooks } from '../../../src/database/hooks.ts'

test('a hook is a file of SQL or a command', () => {
  const psql = (path: string) => {
    const args = ['--no-psqlrc', '--quiet', '--no-password', '--set=ON_ERROR_STOP=1', `--file=${path}`]
    return { file: 'psql', args }
  }
  const bash = (command: string) => ({ file: 'bash', args: ['-e', '-o', 'pipefail', '-c', command] })
  const stop = "$ErrorActionPreference = 'Stop'; $PSNativeCommandUseErrorActionPreference = $true;"
  const pwsh = (command: string) => ({
    file: 'pwsh',
    args: ['-NoProfile', '-Command', `${stop} ${command}`],
  })
  const cases: [string, NodeJS.Platform, ReturnType<typeof hookCommand>][] = [
    ['sql/mask.sql', 'linux', psql('/repo/sql/mask.sql')],
    ['/etc/mask.SQL', 'linux', psql('/etc/mask.SQL')],
    ['npm run migrate', 'linux', bash('npm run migrate')],
    ['psql --file=mask.sql', 'linux', bash('psql --file=mask.sql')],
    ['./load.sh < seed.sql', 'darwin', bash('./load.sh < seed.sql')],
    ['./mask.sql.sh', 'linux', bash('./mask.sql.sh')],
    ['npm run migrate', 'win32', pwsh('npm run migrate')],
  ]
  for (const [hook, platform, command] of cases) {
    assert.deepEqual(hookCommand(hook, '/repo', platform), command, hook)
  }
  const sh = { file: 'sh', args: ['-e', '-c', 'npm run migrate'] }
  assert.deepEqual(hookCommand('npm run migrate', '/repo', 'linux', false), sh)
})

const bench = await startSessionBench()

describe('hooks', { skip: noClient }, () => {
  const database = `it's "the" $(shop); é`
  const job = {
    ...environment,
    'INPUT_DATABASE-URL': 'canary',
    STATE_pending: 'canary',
    DATABASE_URL: 'postgres://elsewhere/x',
    NODE_ENV: 'test',
  }

  /** A workspace and a way to run hooks in it. */
  function workshop(signal = new AbortController().signal, PATH = job.PATH) {
    const folder = tempFolder('workspace')
    const options = { psql: program('psql'), environment: { ...job, PATH }, workspace: folder.path, signal }
    return {
      write: (name: string, text: string) => writeFileSync(join(folder.path, name), text),
      read: (name: string) => readFileSync(join(folder.path, name), 'utf8'),
      run: (...hooks: string[]) => runHooks('pre-swap-hooks', hooks, bench.connection(database), options),
    }
  }

  test('find their database, whatever its name, and nothing of ours', async () => {
    await bench.postgres.createDatabase(database)
    const at = workshop()
    at.write('make.sql', `create table made (n int);\ninsert into made values (1), (2);\n`)
    await at.run(
      'make.sql',
      'env > seen',
      `PATH=${program('psql').replace(/\/psql$/, '')}:$PATH
       psql -XAtc 'select current_database(), count(*) from made' > by-variables
       psql -XAt "$DATABASE_URL" -c 'select current_database(), count(*) from made' > by-url`,
    )
    for (const name of ['by-variables', 'by-url']) assert.equal(at.read(name), `${database}|2\n`)
    const seen = at.read('seen')
    assert.match(seen, /^NODE_ENV=test$/m)
    assert.match(seen, /^PGHOST=127\.0\.0\.1$/m)
    assert.doesNotMatch(seen, /canary|192\.0\.2\.1|PGHOSTADDR|PGOPTIONS|LATIN1|elsewhere/)
  })

  test('run in sh where there is no bash', async () => {
    const bin = tempFolder('bin')
    symlinkSync('/bin/sh', join(bin.path, 'sh'))
    const at = workshop(undefined, bin.path)
    await at.run('echo "$0" > shell')
    assert.equal(at.read('shell'), 'sh\n')
    await assert.rejects(at.run('false; echo > never'), /hook ended with exit code 1/)
    assert.throws(() => at.read('never'), /ENOENT/)
  })

  test('stop at the first that fails, with its reason', async () => {
    const at = workshop()
    at.write('wrong.sql', 'select 1;\nselect * from nowhere;\ncreate table never ();\n')
    const cases: [string, RegExp][] = [
      [
        'wrong.sql',
        /^pre-swap-hooks "wrong\.sql" failed: hook ended with exit code 3: .*relation "nowhere" does not exist/,
      ],
      ['missing.sql', /missing\.sql: No such file/],
      ['exit 7', /"exit 7" failed: hook ended with exit code 7/],
      ['false; touch never', /failed/],
      ['false | cat; touch never', /failed/],
      ['echo "error: it broke" >&2; exit 1', /: error: it broke$/],
    ]
    for (const [hook, reason] of cases) {
      await assert.rejects(at.run(hook, 'touch never'), { message: reason }, hook)
    }
    assert.throws(() => at.read('never'), /ENOENT/)
  })

  test('end with a cancelled step', async () => {
    const cancel = new AbortController()
    const at = workshop(cancel.signal)
    setTimeout(() => cancel.abort(new Error('The step was cancelled')), 100)
    await assert.rejects(at.run('exec sleep 60', 'touch never'), /step was cancelled/)
    await assert.rejects(at.run('touch never'), /step was cancelled/)
    assert.throws(() => at.read('never'), /ENOENT/)
  })

  test('end when the step is cancelled just before they start', async () => {
    const cancel = new AbortController()
    const at = workshop(cancel.signal)
    const run = at.run('sleep 60; touch never')
    // The hook has not been started yet: its shell is being looked for.
    cancel.abort(new Error('The step was cancelled'))
    const started = Date.now()
    await assert.rejects(run, /step was cancelled/)
    assert.ok(Date.now() - started < 30_000, 'the hook ran to its end')
    assert.throws(() => at.read('never'), /ENOENT/)
  })
})
