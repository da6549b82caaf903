import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { S3Error } from './error.ts'

/** A key pair, with the token of temporary credentials. */
export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
}

/** Checks the Signature Version 4 in the `Authorization` header; throws what S3 would answer. */
export function checkSignature(request: IncomingMessage, credentials: Credentials): void {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    )
  if (!parts) throw new S3Error(403, 'AccessDenied', 'Access Denied')
  const [, credential = '', signedHeaders = '', signature = ''] = parts
  const [accessKeyId, ...scope] = credential.split('/')
  if (accessKeyId !== credentials.accessKeyId)
    throw new S3Error(
      403,
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    )
  const token = request.headers['x-amz-security-token']
  if (token !== credentials.sessionToken)
    throw new S3Error(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.')
  const expected = sign(request, signedHeaders, scope, credentials.secretAccessKey)
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(signature)))
    throw new S3Error(403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match.')
}

function sign(request: IncomingMessage, signedHeaders: string, scope: string[], secret: string): string {
  const [path = '/', query = ''] = (request.url ?? '/').split('?')
  const headers = signedHeaders.split(';').map(
    (name) =>
      `${name}:${String(request.headers[name] ?? '')
        .trim()
        .replace(/\s+/g, ' ')}\n`,
  )
  const payload = request.headers['x-amz-content-sha256']
  const canonical = [request.method, path, sortQuery(query), headers.join(''), signedHeaders, payload].join(
    '\n',
  )
  const hash = createHash('sha256').update(canonical).digest('hex')
  const text = ['AWS4-HMAC-SHA256', request.headers['x-amz-date'], scope.join('/'), hash].join('\n')
  const key = scope.reduce<string | Buffer>((previous, part) => hmac(previous, part), `AWS4${secret}`)
  return hmac(key, text).toString('hex')
}

function sortQuery(query: string): string {
  const pairs = query.split('&').filter(Boolean)
  return pairs
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .sort()
    .join('&')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
