import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { notImplemented, S3Error } from './error.ts'
import { BrokenOnPurpose, type FaultAction, type Faults, faultyBody } from './fault.ts'
import { type Answer, type Context, operations } from './operations.ts'
import { describeRequest, type S3Request } from './request.ts'
import { type Credentials, checkSignature } from './signature.ts'
import { xmlDocument } from './xml.ts'

/** What the server answers from. */
export interface Service extends Pick<Context, 'buckets' | 'makeBucket' | 'folder' | 'quirks'> {
  /** The first ones are the owner's; others may be given out. */
  credentials: [Credentials, ...Credentials[]]
  faults: Faults
  requests: S3Request[]
}

/** Answers one HTTP request. */
export async function handle(
  service: Service,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const request = describeRequest(message)
  service.requests.push(request)
  const fault = service.faults.take(request)
  try {
    if (fault?.type === 'error') throw new S3Error(fault.status, fault.code, fault.message)
    if (fault?.type === 'call') await fault.run(request)
    checkSignature(message, service.credentials)
    if (fault?.type === 'delay') await sleep(fault.ms)
    const operation = operations[request.operation] ?? (() => Promise.reject(notImplemented()))
    const answer = await operation({ ...service, request, message, fault })
    if (fault?.type === 'late-answer') await sleep(fault.ms)
    await send(request, response, answer, fault)
  } catch (error) {
    if (error instanceof BrokenOnPurpose) return
    if (error instanceof S3Error) return sendError(request, message, response, error)
    // The client went away, in most cases.
    request.errorCode = String((error as NodeJS.ErrnoException).code ?? error)
    response.destroy()
  }
}

async function send(
  request: S3Request,
  response: ServerResponse,
  { status = 200, headers = {}, body = '' }: Answer,
  fault: FaultAction | undefined,
): Promise<void> {
  const isText = typeof body === 'string'
  const length =
    isText && request.method !== 'HEAD' ? { 'content-length': String(Buffer.byteLength(body)) } : {}
  const all = { ...(isText && body && { 'content-type': 'application/xml' }), ...length, ...headers }
  // Without a length Node answers in chunks.
  if (fault?.type === 'truncate') delete all['content-length' as keyof typeof all]
  response.writeHead(status, { 'x-amz-request-id': 'TESTBENCH', ...all })
  if (isText) {
    response.end(body)
  } else {
    for await (const chunk of faultyBody(body, fault, response.socket!)) {
      if (!response.write(chunk)) await writable(response)
      if (response.closed) break
    }
    response.end()
  }
  request.status = status
}

/** Waits until more may be written, or the client is gone. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      resolve()
    }
    response.on('drain', settle).on('close', settle)
  })
}

function sendError(
  request: S3Request,
  message: IncomingMessage,
  response: ServerResponse,
  error: S3Error,
): void {
  Object.assign(request, { status: error.status, errorCode: error.code })
  const content = { Code: error.code, Message: error.message, Resource: `/${request.bucket}/${request.key}` }
  const body = xmlDocument('Error', { ...content, RequestId: 'TESTBENCH' }, false)
  // The rest of the request must be read, or the client would wait for us to take it.
  message.resume()
  const length = Buffer.byteLength(body)
  response.writeHead(error.status, { 'content-type': 'application/xml', 'content-length': length })
  response.end(request.method === 'HEAD' ? undefined : body)
}
