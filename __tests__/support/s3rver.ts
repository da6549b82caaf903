import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type S3Store, toConfig } from './s3.ts'
import { tempFolder } from './temp.ts'

interface Server {
  run(): Promise<{ port: number }>
  close(): Promise<void>
  httpServer: { closeAllConnections(): void }
}

// The package has no type declarations.
const S3rver = createRequire(import.meta.url)('@20minutes/s3rver') as new (options: object) => Server
const suffix = '._S3rver_object'

/**
 * Starts the npm package s3rver as a second, independent store. It knows no listing of uploads and no conditional
 * writes, and over TLS it keeps the framing of trailing checksums in the object: a fine example of a bad provider.
 */
export async function startS3rver(
  options: { bucket?: string; tls?: { key: string; cert: string } } = {},
): Promise<S3Store> {
  const bucket = options.bucket ?? 'backups'
  const folder = tempFolder('s3rver')
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder.path,
    configureBuckets: [{ name: bucket }],
    ...options.tls,
  })
  const { port } = await server.run()
  const region = { AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-east-1' }
  const credentials = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' }
  const env = { ...credentials, ...region, AWS_EC2_METADATA_DISABLED: 'true' }
  return {
    ...{ bucket, env, config: toConfig(env) },
    endpoint: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    objects: () => readObjects(join(folder.path, bucket)),
    async [Symbol.asyncDispose]() {
      server.httpServer.closeAllConnections()
      await server.close()
      await folder[Symbol.asyncDispose]()
    },
  }
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
