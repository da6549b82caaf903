import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { S3Store } from './s3.ts'
import { authorize } from './signature.ts'

/** What came back. */
export interface ClientAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
  /** How the connection broke, when the answer was cut. */
  broken?: string
}

interface ClientOptions {
  headers?: Record<string, string>
  body?: string | Buffer
  accessKeyId?: string
  signal?: AbortSignal
}

/** The path of a key, encoded as AWS wants it signed ("Create a signed AWS API request", UriEncode). */
export function pathOf(key: string): string {
  const code = (letter: string) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`
  return key
    .split('/')
    .map((part) => encodeURIComponent(part).replace(/[!'()*]/g, code))
    .join('/')
}

/** A signed request to a store, for tests of what the AWS CLI on this machine may be too old for. */
export function requestS3(
  s3: Pick<S3Store, 'endpoint' | 'bucket' | 'env'>,
  method: string,
  path: string,
  options: ClientOptions = {},
): Promise<ClientAnswer> {
  const { host, port } = new URL(s3.endpoint)
  const url = `/${s3.bucket}/${path}`
  const headers = signedHeaders(s3.env, method, url, { ...options, headers: { ...options.headers, host } })
  const target = { host: '127.0.0.1', port, method, path: url, headers, agent: false as const }
  return new Promise((resolve, reject) => {
    let hasAnswer = false
    const request = httpRequest(
      { ...target, ...(options.signal && { signal: options.signal }) },
      (response) => {
        hasAnswer = true
        readAnswer(response).then(resolve)
      },
    )
    // After the first bytes of an answer, its own error tells how it ended.
    request.on('error', (error) => void (hasAnswer || reject(error)))
    request.end(options.body)
  })
}

function signedHeaders(
  env: Record<string, string>,
  method: string,
  url: string,
  options: ClientOptions,
): Record<string, string> {
  const headers: Record<string, string> = {
    ...options.headers,
    'content-length': String(Buffer.byteLength(options.body ?? '')),
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': new Date().toISOString().replace(/[-:]|\.\d+/g, ''),
  }
  const accessKeyId = options.accessKeyId ?? env.AWS_ACCESS_KEY_ID!
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY!
  return { ...headers, authorization: authorize({ method, url, headers }, { accessKeyId, secretAccessKey }) }
}

function readAnswer(response: IncomingMessage): Promise<ClientAnswer> {
  const chunks: Buffer[] = []
  const common = { status: response.statusCode ?? 0, headers: response.headers }
  return new Promise((resolve) => {
    const settle = (broken?: string) =>
      resolve({ ...common, body: Buffer.concat(chunks), ...(broken && { broken }) })
    response.on('data', (chunk) => chunks.push(chunk))
    response.on('end', () => settle())
    response.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.name))
  })
}
