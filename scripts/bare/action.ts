import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { compareDatabases } from '../../lab/postgres/compare.ts'
import { startPostgres } from '../../lab/postgres/postgres.ts'
import { loadSample } from '../../lab/postgres/sample.ts'
import { inputVariables, root as repository } from '../../lab/runner/action-inputs.ts'
import { collectLog } from '../../lab/runner/action-log.ts'
import { runnerEnvironment } from '../../lab/runner/runner-environment.ts'
import { createFileCommands, parseFileCommand } from '../../lab/runner/runner-files.ts'
import { type S3, startS3 } from '../../lab/s3/s3.ts'

const NODE = '/usr/local/bin/node24'
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const TEN_MINUTES = 600_000

/** Proves that the built Action dumps a database to S3 and restores it, because it installs the client and the AWS CLI. */
export async function asAction(folder: string): Promise<void> {
  copyFileSync(process.execPath, join(folder, NODE))
  cpSync(join(repository, 'dist'), join(folder, 'action/dist'), { recursive: true })
  await using postgres = await startPostgres()
  await using s3 = await startS3()
  await loadSample(postgres, 'shop')

  const dumped = await step(folder, s3, { command: 'dump', 'database-url': postgres.url('shop') })
  const key = dumped.outputs['dump-key']
  assert.equal(s3.objects().get(`bare/${key}`)?.size, Number(dumped.outputs['dump-size']))
  assert.ok(s3.objects().has(`bare/${key}.json`), 'the dump has no manifest')
  assert.ok(dumped.lines.some((line) => /^Installing /.test(line)))

  const target = { command: 'restore', 'dump-key': 'latest', 'database-url': postgres.url('preview') }
  const restored = await step(folder, s3, target)
  assert.deepEqual(await compareDatabases(postgres, 'shop', postgres, 'preview'), [])
  const again = restored.lines.filter((line) => /^Installing /.test(line))
  assert.deepEqual(again, [], 'the second step installed something again')
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
