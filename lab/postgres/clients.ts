import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createReadStream, createWriteStream, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import type { ArchiveStage } from '../../src/archive/archive.ts'

/** The client programs of one major version. */
export type Client = { major: number; bin: string }

const FOLDER = '/usr/lib/postgresql'

/** The clients on this machine, oldest first. */
export function findClients(): Client[] {
  let names: string[] = []
  try {
    names = readdirSync(FOLDER)
  } catch {
    // no clients
  }
  return names
    .map((name) => ({ major: Number(name), bin: join(FOLDER, name, 'bin') }))
    .filter(({ major, bin }) => major > 0 && readdirSync(bin).includes('pg_dump'))
    .sort((a, b) => a.major - b.major)
}

/** Dumps the database of `env` through `stage` into a file. */
export async function dump(
  client: Client,
  env: Record<string, string>,
  stage: ArchiveStage,
  path: string,
  args: string[] = [],
): Promise<void> {
  const child = spawn(join(client.bin, 'pg_dump'), ['-Fc', '-Z0', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await pipeline(child.stdout, stage.transform, createWriteStream(path))
}

/** The file as it leaves `stage`. */
export async function convert(path: string, stage: ArchiveStage, target: string): Promise<void> {
  await pipeline(createReadStream(path), stage.transform, createWriteStream(target))
}

/**
 * Runs pg_restore, with the archive on its standard input when `input` is given, and returns its output. That clients
 * from 17 set a parameter which our server does not know is no failure.
 */
export async function restore(
  client: Client,
  env: Record<string, string>,
  args: string[],
  input?: string,
): Promise<string> {
  const running = promisify(execFile)(join(client.bin, 'pg_restore'), args, { env, maxBuffer: 2 ** 26 })
  const fed = input
    ? pipeline(createReadStream(input), running.child.stdin!).catch(() => {})
    : pipeline(Readable.from([]), running.child.stdin!)
  const { stdout } = await running.catch((error: { stdout: string; stderr: string }) => {
    const errors = error.stderr.split('\n').filter((line) => /^pg_restore: error:/.test(line))
    assert.deepEqual(
      errors.filter((line) => !line.includes('transaction_timeout')),
      [],
      error.stderr,
    )
    return error
  })
  await fed
  return stdout
}
