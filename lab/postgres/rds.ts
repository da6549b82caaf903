import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { selfSignedCertificate } from '../certificate.ts'
import { tempFolder } from '../temp.ts'
import type { Postgres } from './postgres.ts'

/** RDS in front of a real server: TLS, and a token of IAM in place of the password. */
export type Rds = AsyncDisposable & {
  readonly host: string
  readonly port: number
  /** File with the certificate, for `sslrootcert`. */
  readonly certificateFile: string
  /** Every password that came, in the order of the connections. */
  readonly passwords: string[]
}

/** Codes in the place of a protocol version (PostgreSQL's `pqcomm.h`). */
const SSL_REQUEST = 80877103

/** Lets in who comes over TLS with a token for this host, port and user; the server behind it must trust us. */
export async function startRds(postgres: Postgres): Promise<Rds> {
  const host = '127.0.0.1'
  const identity = selfSignedCertificate(host)
  const folder = tempFolder('rds')
  const certificateFile = join(folder.path, 'ca.pem')
  writeFileSync(certificateFile, identity.cert)
  const passwords: string[] = []
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => undefined)
    void admit(socket).catch(() => socket.destroy())
  }).listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  async function admit(socket: Socket): Promise<void> {
    const request = await readMessage(socket, 0)
    if (request.readInt32BE(4) !== SSL_REQUEST) return void socket.end(refusal('TLS is required'))
    socket.write('S')
    const secure = new TLSSocket(socket, { isServer: true, ...identity })
    secure.on('error', () => undefined)
    const startup = await readMessage(secure, 0)
    secure.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])) // AuthenticationCleartextPassword
    const password = (await readMessage(secure, 1)).subarray(5, -1).toString()
    passwords.push(password)
    if (!isToken(password, `${host}:${port}`, userOf(startup)))
      return void secure.end(refusal('PAM authentication failed for user'))
    const upstream = connect(postgres.port, postgres.host)
    upstream.on('error', () => secure.destroy())
    secure.on('close', () => upstream.destroy())
    upstream.write(startup)
    secure.pipe(upstream).pipe(secure)
  }

  return {
    ...{ host, port, certificateFile, passwords },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of open) socket.destroy()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** One message, whose length stands behind `prefix` bytes. */
async function readMessage(socket: Socket, prefix: number): Promise<Buffer> {
  let data = Buffer.alloc(0)
  const complete = () =>
    data.length >= prefix + 4 && data.length >= prefix + data.readInt32BE(prefix) ? data : null
  while (!complete()) {
    const chunk = socket.read() as Buffer | null
    if (chunk) data = Buffer.concat([data, chunk])
    else
      await Promise.race([
        once(socket, 'readable'),
        once(socket, 'close').then(() => Promise.reject(new Error('closed'))),
      ])
  }
  return data
}

function userOf(startup: Buffer): string {
  const texts = startup.subarray(8).toString().split('\0')
  return texts[texts.indexOf('user') + 1] ?? ''
}

/** A presigned request without its scheme (AWS: `aws rds generate-db-auth-token`). */
function isToken(password: string, address: string, user: string): boolean {
  const url = URL.parse(`https://${password}`)
  const given = (name: string) => url?.searchParams.get(name)
  return (
    url?.host === address &&
    given('Action') === 'connect' &&
    given('DBUser') === user &&
    given('X-Amz-Expires') === '900' &&
    /^[0-9a-f]{64}$/.test(given('X-Amz-Signature') ?? '')
  )
}

/** ErrorResponse: a fatal error without a chance. */
function refusal(message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C28000\0M${message}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}
