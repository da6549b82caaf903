import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { selfSignedCertificate } from '../certificate.ts'
import { tempFolder } from '../temp.ts'
import { type FaultRule, Faults } from './fault.ts'
import { handle, type Service } from './handler.ts'
import type { Quirks } from './quirks.ts'
import type { S3Request } from './request.ts'
import type { Credentials } from './signature.ts'
import {
  Bucket,
  type OpenUpload,
  type Properties,
  readObject,
  type StoredObject,
  writeBlob,
} from './store.ts'

export type { FaultAction, FaultRule } from './fault.ts'

/** How to start a store. */
export interface S3Options {
  bucket?: string
  /** Serve HTTPS with a certificate of its own; `env` then has AWS_CA_BUNDLE. */
  tls?: boolean
  /** How the store differs from AWS. */
  quirks?: Quirks
  /** Token that requests must carry, for temporary credentials. */
  sessionToken?: string
}

/** What every S3 store of the test bench offers. */
export type S3Store = AsyncDisposable & {
  readonly endpoint: string
  readonly bucket: string
  /** Variables for the AWS CLI. */
  readonly env: Record<string, string>
  /** The same variables as text for the `s3-config` input. */
  readonly config: string
  /** Size of every object of the bucket by key. */
  objects(): ReadonlyMap<string, { size: number }>
}

/** Our own store: the real protocol on the loopback interface, with faults on demand. */
export type S3 = Omit<S3Store, 'objects'> & {
  readonly port: number
  /** Secret parts of the credentials: none of them may show up anywhere. */
  readonly secrets: string[]
  /** Every request so far. */
  readonly requests: S3Request[]
  /** May be changed while it runs. */
  readonly quirks: Quirks
  objects(): ReadonlyMap<string, StoredObject>
  read(key: string): Promise<Buffer>
  write(
    key: string,
    bytes: string | Uint8Array,
    options?: Properties & { lastModified?: Date },
  ): Promise<void>
  remove(key: string): Promise<void>
  /** Multipart uploads that are neither complete nor aborted. */
  uploads(): OpenUpload[]
  /** Leaves an upload open, as a killed run does. */
  openUpload(key: string, initiated?: Date): OpenUpload
  /** Breaks the requests that match. */
  fault(rule: FaultRule): void
  /** No more faults. */
  heal(): void
  /** Temporary credentials, as STS gives them. */
  giveCredentials(expiresAt: Date): Credentials
}

/** Starts a store with one empty bucket. */
export async function startS3(options: S3Options = {}): Promise<S3> {
  await using scope = new AsyncDisposableStack()
  const folder = scope.use(tempFolder('s3')).path
  const service = makeService(folder, options)
  const bucketName = options.bucket ?? 'backups'
  const bucket = new Bucket()
  service.buckets.set(bucketName, bucket)
  const { port, certificateFile, close } = await listen(service, options.tls ?? false)
  scope.defer(close)
  const env = environment(service, certificateFile)
  const resources = scope.move()
  return {
    port,
    endpoint: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    bucket: bucketName,
    env,
    config: toConfig(env),
    get secrets() {
      return service.credentials.flatMap(({ secretAccessKey, sessionToken }) => [
        secretAccessKey,
        ...(sessionToken ? [sessionToken] : []),
      ])
    },
    requests: service.requests,
    quirks: service.quirks,
    fault: (rule) => service.faults.add(rule),
    heal: () => service.faults.clear(),
    giveCredentials: (expiresAt) => {
      const credentials = { ...keyPair('ASIA'), sessionToken: secret(60), expiresAt }
      service.credentials.push(credentials)
      return credentials
    },
    ...directAccess(bucket, folder),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** Variables as the lines that the `s3-config` input takes. */
export function toConfig(env: Record<string, string>): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')
}

function secret(length: number): string {
  return randomBytes(length).toString('base64').replaceAll('=', '')
}

function keyPair(prefix: 'AKIA' | 'ASIA'): Credentials {
  return {
    accessKeyId: `${prefix}${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: secret(30),
  }
}

function makeService(folder: string, options: S3Options): Service {
  return {
    credentials: [
      { ...keyPair('AKIA'), ...(options.sessionToken && { sessionToken: options.sessionToken }) },
    ],
    faults: new Faults(),
    requests: [],
    buckets: new Map(),
    makeBucket: () => new Bucket(),
    folder,
    quirks: { ...options.quirks },
  }
}

async function listen(service: Service, tls: boolean) {
  const listener: RequestListener = (message, response) => void handle(service, message, response)
  const identity = tls ? selfSignedCertificate('127.0.0.1') : undefined
  const server = identity ? createTlsServer(identity, listener) : createServer(listener)
  // A dump may take longer than the default of five minutes.
  server.requestTimeout = 0
  server.on('clientError', (_error, socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  const certificateFile = identity && join(service.folder, 'ca.pem')
  if (identity) writeFileSync(certificateFile!, identity.cert)
  const close = async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { port: (server.address() as AddressInfo).port, certificateFile, close }
}

function environment(
  { credentials: [credentials] }: Service,
  certificateFile: string | undefined,
): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    ...(credentials.sessionToken && { AWS_SESSION_TOKEN: credentials.sessionToken }),
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(certificateFile && { AWS_CA_BUNDLE: certificateFile }),
  }
}

function directAccess(bucket: Bucket, folder: string) {
  return {
    objects: () => bucket.objects as ReadonlyMap<string, StoredObject>,
    read(key: string) {
      const object = bucket.objects.get(key)
      if (!object) throw new Error(`There is no object '${key}'`)
      return readObject(object)
    },
    async write(key: string, bytes: string | Uint8Array, options: Properties & { lastModified?: Date } = {}) {
      const body = async function* () {
        yield Buffer.from(bytes)
      }
      await bucket.put(key, [await writeBlob(folder, body(), [])], options)
    },
    remove: (key: string) => bucket.remove(key),
    uploads: () => [...bucket.uploads.values()],
    openUpload: (key: string, initiated?: Date) => bucket.createUpload(key, {}, initiated),
  }
}
