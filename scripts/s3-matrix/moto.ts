import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { selfSignedCertificate } from '../../lab/certificate.ts'
import { freePort } from '../../lab/port.ts'
import { tempFolder } from '../../lab/temp.ts'

const HOST = '127.0.0.1'

/** A store that somebody else wrote, without a bucket. */
export type Foreign = AsyncDisposable & { endpoint: string; env: Record<string, string> }

/**
 * Starts moto's server (Python; Debian 13: python3-moto), which is an independent implementation of S3. For TLS a
 * proxy of ours stands before it.
 *
 * @param command how to start it, such as `['moto_server']`
 */
export async function startMoto(command: readonly string[], tls: boolean): Promise<Foreign> {
  const port = await freePort()
  const [file = '', ...args] = command
  const child = spawn(file, [...args, '-H', HOST, '-p', String(port)], { stdio: 'ignore' })
  const gone = once(child, 'exit').then(() => Promise.reject(new Error(`${file} did not start`)))
  gone.catch(() => undefined)
  await Promise.race([gone, answers(port)])
  const front = tls ? await startTlsProxy(port) : null
  const credentials = { AWS_ACCESS_KEY_ID: 'testing', AWS_SECRET_ACCESS_KEY: 'testing' }
  const region = { AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-east-1' }
  return {
    endpoint: front ? `https://${HOST}:${front.port}` : `http://${HOST}:${port}`,
    env: {
      ...credentials,
      ...region,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...(front && { AWS_CA_BUNDLE: front.certificateFile }),
    },
    async [Symbol.asyncDispose]() {
      front?.close()
      child.kill('SIGKILL')
    },
  }
}

async function answers(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, HOST)
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (open) return
    await wait(200)
  }
}

async function startTlsProxy(target: number) {
  const identity = selfSignedCertificate(HOST)
  const certificateFile = join(tempFolder('tls').path, 'ca.pem')
  writeFileSync(certificateFile, identity.cert)
  const server = createTlsServer(identity, (client) => {
    const upstream = connect(target, HOST)
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  const port = await freePort()
  server.listen(port, HOST)
  await once(server, 'listening')
  return { port, certificateFile, close: () => server.close() }
}
