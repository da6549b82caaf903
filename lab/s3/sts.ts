import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { TLSSocket } from 'node:tls'
import { selfSignedCertificate } from '../certificate.ts'
import { tempFolder } from '../temp.ts'
import type { S3 } from './s3.ts'
import { xmlDocument } from './xml.ts'

export type StsOptions = {
  /** The store that takes the credentials. */
  s3: S3
  role: string
  /** Seconds that an OIDC token lives. */
  tokenLife?: number
  /** Seconds that credentials live, regardless of the request. */
  credentialLife?: number
}

/** Where the AWS CLI expects the STS of AWS. Its older versions know no variable for another endpoint. */
const AWS_STS = 'sts.us-east-1.amazonaws.com'

/** GitHub's OIDC service and the STS of AWS, as far as a job needs them to assume a role. */
export type Sts = AsyncDisposable & {
  /** Variables of a job that may have tokens. */
  readonly jobEnv: Record<string, string>
  /** Variables that lead the AWS CLI here when it asks the STS of AWS in us-east-1: a proxy, and whom to trust. */
  readonly env: Record<string, string>
  /** The same for an STS of one's own. */
  readonly privateEnv: Record<string, string>
  /** Every token that was given out. */
  readonly tokens: string[]
  /** Parameters of every AssumeRoleWithWebIdentity that was granted. */
  readonly assumed: URLSearchParams[]
  /** The access keys that were given out. */
  readonly accessKeyIds: string[]
  /** Seconds; may be changed while it runs. */
  credentialLife: number
}

export async function startSts(options: StsOptions): Promise<Sts> {
  await using scope = new AsyncDisposableStack()
  const requestToken = randomBytes(16).toString('hex')
  const state = { tokens: [] as string[], assumed: [] as URLSearchParams[], accessKeyIds: [] as string[] }
  const sts = { ...state, credentialLife: options.credentialLife ?? 3600 }
  const answer = async (message: IncomingMessage, response: ServerResponse) => {
    const url = new URL(message.url!, 'http://sts')
    if (url.pathname === '/token') {
      const mayHaveOne =
        message.headers.authorization === `Bearer ${requestToken}` &&
        url.searchParams.get('audience') === 'sts.amazonaws.com'
      if (!mayHaveOne) return void response.writeHead(401).end()
      const token = makeToken(options.tokenLife ?? 300)
      sts.tokens.push(token)
      return void response.end(JSON.stringify({ value: token }))
    }
    const parameters = new URLSearchParams(await text(message))
    const error = refusal(parameters, options.role, sts.tokens)
    if (error) return void response.writeHead(400).end(errorDocument(...error))
    sts.assumed.push(parameters)
    response.end(grant(options.s3, sts))
  }
  const server = createServer((message, response) => void answer(message, response))
  const identity = selfSignedCertificate(AWS_STS)
  const certificate = join(scope.use(tempFolder('sts')).path, 'ca.pem')
  writeFileSync(certificate, identity.cert)
  server.on('connect', ({ url }, socket) => {
    if (url !== `${AWS_STS}:443`) return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    const secure = new TLSSocket(socket, { isServer: true, ...identity })
    secure.on('error', () => undefined)
    server.emit('connection', secure)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  scope.defer(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const resources = scope.move()
  return Object.assign(sts, {
    jobEnv: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${base}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
    },
    env: { HTTPS_PROXY: base, NO_PROXY: '127.0.0.1', AWS_CA_BUNDLE: certificate },
    privateEnv: { AWS_ENDPOINT_URL_STS: base },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  })
}

/** A token in the form of a JWT; nobody here checks its signature. */
function makeToken(life: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { sub: 'repo:acme/shop:ref:refs/heads/main', exp: Math.floor(Date.now() / 1000) + life }
  return `${part({ alg: 'RS256' })}.${part(claims)}.${randomBytes(32).toString('base64url')}`
}

function refusal(
  parameters: URLSearchParams,
  role: string,
  tokens: readonly string[],
): [string, string] | null {
  const token = parameters.get('WebIdentityToken') ?? ''
  if (parameters.get('Action') !== 'AssumeRoleWithWebIdentity') return ['InvalidAction', 'Unknown action']
  if (!tokens.includes(token)) return ['InvalidIdentityToken', 'Nobody gave out this token']
  const { exp } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { exp: number }
  if (exp * 1000 < Date.now()) return ['ExpiredTokenException', 'Token expired']
  if (parameters.get('RoleArn') !== role)
    return ['AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity']
  return null
}

function errorDocument(Code: string, Message: string): string {
  return xmlDocument('ErrorResponse', { Error: { Type: 'Sender', Code, Message } }, false)
}

function grant(s3: S3, sts: Pick<Sts, 'accessKeyIds' | 'credentialLife'>): string {
  const expiresAt = new Date(Date.now() + sts.credentialLife * 1000)
  const credentials = s3.giveCredentials(expiresAt)
  sts.accessKeyIds.push(credentials.accessKeyId)
  const Credentials = {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    SessionToken: credentials.sessionToken,
    Expiration: expiresAt,
  }
  const AssumedRoleUser = { AssumedRoleId: 'AROA:session', Arn: 'arn:aws:sts::123456789012:assumed-role/r/s' }
  const AssumeRoleWithWebIdentityResult = { Credentials, AssumedRoleUser }
  return xmlDocument('AssumeRoleWithWebIdentityResponse', { AssumeRoleWithWebIdentityResult }, false)
}
