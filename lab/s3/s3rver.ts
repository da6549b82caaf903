import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { tempFolder } from '../temp.ts'
import { type S3Store, toConfig } from './s3.ts'

const suffix = '._S3rver_object'

// Runs in a process of its own, until the end of its standard input: our end, however it comes.
const script = `
  const [, library, options] = process.argv
  const S3rver = require(library)
  new S3rver(JSON.parse(options)).run().then(({ port }) => console.log(port))
  process.stdin.resume().on('end', () => process.exit())`

/**
 * Starts the npm package s3rver as a second, independent store. It knows no listing of uploads and no conditional
 * writes, and over TLS it keeps the framing of trailing checksums in the object: a fine example of a bad provider.
 */
export async function startS3rver(
  options: { bucket?: string; tls?: { key: string; cert: string } } = {},
): Promise<S3Store> {
  const bucket = options.bucket ?? 'backups'
  const folder = tempFolder('s3rver')
  const { port, stop } = await launch({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder.path,
    configureBuckets: [{ name: bucket }],
    ...options.tls,
  })
  const region = { AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-east-1' }
  const credentials = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' }
  const env = { ...credentials, ...region, AWS_EC2_METADATA_DISABLED: 'true' }
  return {
    ...{ bucket, env, config: toConfig(env) },
    endpoint: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    objects: () => readObjects(join(folder.path, bucket)),
    async [Symbol.asyncDispose]() {
      await stop()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function launch(options: object): Promise<{ port: number; stop(): Promise<void> }> {
  const library = createRequire(import.meta.url).resolve('@20minutes/s3rver')
  // It encrypts its continuation tokens with DES, which OpenSSL 3 offers only so.
  const args = ['--openssl-legacy-provider', '-e', script, library, JSON.stringify(options)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' })
  const [output] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [unknown]
  if (!(output instanceof Buffer)) throw new Error(`s3rver did not start: exit code ${child.exitCode}`)
  const stop = async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  return { port: Number(output.toString()), stop }
}

/** s3rver keeps each object in a file of its own, beside which others hold what is known about it. */
function readObjects(folder: string): Map<string, { size: number }> {
  if (!existsSync(folder)) return new Map()
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith(suffix),
  )
  return new Map(
    names.map((name) => [name.slice(0, -suffix.length), { size: statSync(join(folder, name)).size }]),
  )
}
