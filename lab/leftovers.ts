import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Postgres } from './postgres/postgres.ts'
import { family } from './processes.ts'
import type { ActionRun } from './runner/action.ts'
import type { S3 } from './s3/s3.ts'

/** Where a run may have left something. */
export interface Traces {
  run: ActionRun
  /** With `databases`: the only ones that may exist now. */
  postgres?: Postgres
  databases?: string[]
  s3?: S3
  /** Storage folder; what is neither a dump nor a manifest is a leftover. */
  folder?: string
  /** More secrets than those of the servers. */
  secrets?: string[]
  /** Files that may stay, by path below RUNNER_TEMP or the storage folder. */
  allowed?: RegExp[]
}

/** Fails with everything that a run left behind or gave away (guarantees 4 and 6 of the Action). */
export async function assertNothingLeft(traces: Traces): Promise<void> {
  assert.deepEqual(await findLeftovers(traces), [])
}

/** Says in one line each what a run left behind or gave away. */
export async function findLeftovers(traces: Traces): Promise<string[]> {
  return [
    ...(await livingProcesses(traces.run)),
    ...(await strangeDatabases(traces)),
    ...storedLeftovers(traces.s3),
    ...strangeFiles(traces),
    ...leaks(traces),
  ]
}

/** A process that was told to end gets some seconds for it: on a busy machine it needs them. */
async function livingProcesses(run: ActionRun): Promise<string[]> {
  let living = family(run.pid, run.marker)
  for (let tries = 0; tries < 200 && living.length > 0; tries++) {
    await sleep(50)
    living = family(run.pid, run.marker)
  }
  return living.map(({ pid, argv }) => `process ${pid} lives: ${argv.join(' ')}`)
}

async function strangeDatabases({ postgres, databases }: Traces): Promise<string[]> {
  if (!postgres || !databases) return []
  const found = await postgres.databases()
  return found.filter((name) => !databases.includes(name)).map((name) => `database ${name} is left`)
}

function storedLeftovers(s3: S3 | undefined): string[] {
  if (!s3) return []
  const uploads = s3.uploads().map((upload) => `multipart upload of ${upload.key} is open`)
  return [...uploads, ...strangeNames([...s3.objects().keys()]).map((key) => `object ${key} is left`)]
}

function strangeFiles({ run, folder, allowed = [] }: Traces): string[] {
  const temporary = filesBelow(run.runnerTemp).filter((path) => !path.startsWith('_runner_file_commands'))
  const stored = folder ? strangeNames(filesBelow(folder)) : []
  const all = [...temporary, ...stored].filter((path) => !allowed.some((pattern) => pattern.test(path)))
  return all.map((path) => `file ${path} is left`)
}

/** Names that are neither a committed dump nor its manifest. */
function strangeNames(names: string[]): string[] {
  const all = new Set(names)
  return names.filter((name) => {
    const partner = name.endsWith('.json') ? name.slice(0, -'.json'.length) : `${name}.json`
    return !/\.dump(\.age)?(\.json)?$/.test(name) || !all.has(partner)
  })
}

function leaks({ run, postgres, s3, secrets = [] }: Traces): string[] {
  const all = [postgres?.canary ?? [], s3?.secrets ?? [], secrets].flat().flatMap(spellings)
  const places: Record<string, string> = {
    'the log': run.visibleLog,
    'the summary': run.summary,
    'an output': JSON.stringify(run.outputs),
    'the state': JSON.stringify(run.state),
    'the exported environment': JSON.stringify([run.exportedEnv, run.addedPaths]),
    'a command line': run.commandLines.join('\n'),
  }
  const home = dirname(dirname(run.runnerTemp))
  const files = filesBelow(home).filter((path) => statSync(join(home, path)).size < 1e6)
  for (const path of files) places[`file ${path}`] = readFileSync(join(home, path), 'latin1')
  return Object.entries(places)
    .filter(([place, text]) => !isStateFile(place) && all.some((secret) => text.includes(secret)))
    .map(([place]) => `a secret is in ${place}`)
}

/** Every way in which a secret may be written. */
function spellings(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1)
  const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '')
  return [secret, json, encodeURIComponent(secret), base64, Buffer.from(secret, 'utf8').toString('latin1')]
}

/** The runner's own files are judged by what they say. */
function isStateFile(place: string): boolean {
  return place.includes('_runner_file_commands')
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((one) => one.isFile()).map((one) => relative(folder, join(one.parentPath, one.name)))
}
