import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertNothingLeft, findLeftovers } from '../../lab/leftovers.ts'
import { killTree } from '../../lab/processes.ts'
import { runAction } from '../../lab/runner/action.ts'
import { startS3 } from '../../lab/s3/s3.ts'
import { tempFolder } from '../../lab/temp.ts'

test('finds whatever a run leaves behind or gives away', async () => {
  await using s3 = await startS3()
  await using folder = tempFolder()
  const entry = join(folder.path, 'index.cjs')
  writeFileSync(
    entry,
    `const { spawn, spawnSync } = require('node:child_process')
    const { writeFileSync } = require('node:fs')
    console.log('::add-mask::hunter2')
    if (process.env.TIDY) process.exit()
    spawn('sleep', ['61'], { stdio: 'ignore', detached: true }).unref()
    spawnSync('sh', ['-c', 'sleep 0.3 # hunter2'])
    writeFileSync(process.env.RUNNER_TEMP + '/part.tmp', '')
    writeFileSync(process.env.HOME + '/.pgpass', 'hunter2')
    console.log('the password is hunter2')`,
  )
  const secrets = ['hunter2']
  const tidy = await runAction({}, { entry, env: { TIDY: '1' } })
  await assertNothingLeft({ run: tidy, s3, folder: join(folder.path, 'none'), secrets })

  const storage = join(folder.path, 'storage')
  mkdirSync(storage)
  for (const name of ['a.dump', 'b.dump', 'b.dump.json', 'c.dump.tmp']) writeFileSync(join(storage, name), '')
  const run = await runAction({}, { entry })
  s3.openUpload('backups/x.dump')
  const found = await findLeftovers({ run, s3, folder: storage, secrets })
  assert.deepEqual(found.map((line) => line.replace(/process \d+/, 'process 1')).sort(), [
    'a secret is in a command line',
    'a secret is in file .pgpass',
    'a secret is in the log',
    'file a.dump is left',
    'file c.dump.tmp is left',
    'file part.tmp is left',
    'multipart upload of backups/x.dump is open',
    'process 1 lives: sleep 61',
  ])
  for (const line of found) if (line.startsWith('process')) killTree(Number(line.split(' ')[1]))
})
