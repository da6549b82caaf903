import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { S3Error } from './error.ts'

/** A key pair, with the token of temporary credentials. */
export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  /** Temporary credentials end. */
  expiresAt?: Date
}

/** The parts of a request that are signed. Header names are in small letters. */
export interface Signable {
  method?: string | undefined
  url?: string | undefined
  headers: Record<string, string | string[] | undefined>
}

/** Checks the Signature Version 4 in the `Authorization` header; throws what S3 would answer. */
export function checkSignature(request: Signable, known: readonly Credentials[]): void {
  const form = /^AWS4-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})$/
  const parts = form.exec(String(request.headers.authorization ?? ''))
  if (!parts) throw new S3Error(403, 'AccessDenied', 'Access Denied')
  const [, credential = '', signedHeaders = '', signature = ''] = parts
  const [accessKeyId, ...scope] = credential.split('/')
  const credentials = known.find((one) => one.accessKeyId === accessKeyId)
  if (!credentials) throw new S3Error(403, 'InvalidAccessKeyId')
  if (request.headers['x-amz-security-token'] !== credentials.sessionToken)
    throw new S3Error(400, 'InvalidToken')
  if (credentials.expiresAt && credentials.expiresAt.getTime() < Date.now())
    throw new S3Error(400, 'ExpiredToken', 'The provided token has expired.')
  const expected = sign(request, signedHeaders, scope, credentials.secretAccessKey)
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(signature)))
    throw new S3Error(403, 'SignatureDoesNotMatch')
}

/** The `Authorization` header of a request whose other headers are complete. */
export function authorize(request: Signable, credentials: Credentials): string {
  const scope = [String(request.headers['x-amz-date']).slice(0, 8), 'us-east-1', 's3', 'aws4_request']
  const signedHeaders = Object.keys(request.headers).sort().join(';')
  const signature = sign(request, signedHeaders, scope, credentials.secretAccessKey)
  const credential = [credentials.accessKeyId, ...scope].join('/')
  return `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`
}

function sign(request: Signable, signedHeaders: string, scope: string[], secret: string): string {
  const [path = '/', query = ''] = (request.url ?? '/').split('?')
  const value = (name: string) =>
    String(request.headers[name] ?? '')
      .trim()
      .replace(/\s+/g, ' ')
  const headers = signedHeaders.split(';').map((name) => `${name}:${value(name)}\n`)
  const payload = request.headers['x-amz-content-sha256']
  const parts = [request.method, path, sortQuery(query), headers.join(''), signedHeaders, payload]
  const hash = createHash('sha256').update(parts.join('\n')).digest('hex')
  const text = ['AWS4-HMAC-SHA256', request.headers['x-amz-date'], scope.join('/'), hash].join('\n')
  const key = scope.reduce<string | Buffer>((previous, part) => hmac(previous, part), `AWS4${secret}`)
  return hmac(key, text).toString('hex')
}

/** By name, then by value: the equals sign must not take part in the comparison. */
function sortQuery(query: string): string {
  const pairs = query
    .split('&')
    .filter(Boolean)
    .map((pair) => pair.split('='))
  const order = ([name = '', value = '']: string[]) => `${name}\0${value}`
  return pairs
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
    .map(([name, value = '']) => `${name}=${value}`)
    .join('&')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
