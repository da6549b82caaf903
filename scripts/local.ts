/**
 * `npm run local -- [file] [input=value …]`: runs the built Action on this machine as the runner does, with its post step.
 * The file (`.env` when there is one) has a line `input=value` for each input; other names are variables of the step, such
 * as AWS_PROFILE. The folder in which it is called is the workspace. Inputs in the command line win over the file.
 */
import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { runPost, startAction } from '../lab/runner/action.ts'
import { readMetadata, root } from '../lab/runner/action-inputs.ts'
import { logView, showRun, title } from './show.ts'

/** npm changes the folder to that of package.json. */
const workspace = process.env.INIT_CWD ?? process.cwd()
process.chdir(workspace)

type Variables = Record<string, string>

function readGiven(args: readonly string[]): Variables {
  const files = args.filter((arg) => !arg.includes('='))
  const file = files[0] ?? '.env'
  if (files.length > 1) throw new Error(`One file at most, not ${files.join(' and ')}`)
  if (files.length > 0 && !existsSync(file)) throw new Error(`There is no file ${file}`)
  const fromFile = existsSync(file) ? (parseEnv(readFileSync(file, 'utf8')) as Variables) : {}
  const fromArgs = args
    .filter((arg) => arg.includes('='))
    .map((arg) => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)])
  return { ...fromFile, ...Object.fromEntries(fromArgs) }
}

/** Splits inputs from variables. A small name that is no input is a mistake, and not a variable. */
function sort(given: Variables): { inputs: Variables; env: Variables } {
  const known = readMetadata().inputs
  const entries = Object.entries(given)
  const wrong = entries.filter(([name]) => !(name in known) && name !== name.toUpperCase())
  if (wrong.length > 0) throw new Error(`action.yml has no input ${wrong.map(([name]) => name).join(', ')}`)
  const pick = (isInput: boolean) => Object.fromEntries(entries.filter(([name]) => name in known === isInput))
  return { inputs: pick(true), env: pick(false) }
}

async function main(): Promise<number> {
  const { inputs, env } = sort(readGiven(process.argv.slice(2)))
  title(`command ${inputs.command ?? 'dump'} in ${workspace}`)
  const action = startAction(inputs, {
    cwd: workspace,
    env: { HOME: process.env.HOME, GITHUB_REPOSITORY: '', GITHUB_RUN_ID: '', ...env },
    timeout: 24 * 60 * 60 * 1000,
    onLine: logView(),
  })
  process.on('SIGINT', () => action.signal('SIGINT'))
  const run = await action.done
  await runPost(run)
  showRun(run)
  return run.exitCode ?? 1
}

if (!existsSync(`${root}/dist/index.js`))
  throw new Error('dist/index.js is missing: run "npm run build" first')
try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
