import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { GITHUB_TOKEN } from '../runner/action-inputs.ts'
import { webServer } from '../tools/web-server.ts'

/** One answer of the API before it is sent. */
export type Answer = {
  status: number
  headers: Record<string, string>
  /** Text is sent as it is, anything else as JSON. */
  body: unknown
  /** Bytes after which the connection breaks. */
  cutAfter?: number
}

/** What a fault makes of the answer for a page. */
export type Fault = (answer: Answer, page: number) => Answer

/** GitHub's list of open pull requests: paged, conditional, only for the token of the job. */
export type GitHubApi = AsyncDisposable & {
  readonly url: string
  /** `GITHUB_API_URL` of a step. */
  readonly env: { GITHUB_API_URL: string }
  /** Paths with queries, as they were asked for. */
  readonly requests: string[]
  /** Statuses of all answers. */
  readonly statuses: number[]
  /** The numbers of the open pull requests; a test may change them at any time. */
  open: number[]
  fault: Fault | null
}

/** Starts it for the repository of the laboratory's runner. */
export async function startGitHub(repository = 'acme/shop'): Promise<GitHubApi> {
  const statuses: number[] = []
  const server = await webServer((request, response) => {
    const { page, answer } = answerTo(request, api, repository)
    const sent = api.fault ? api.fault(answer, page) : answer
    statuses.push(sent.status)
    send(response, sent)
  })
  const api: GitHubApi = {
    ...{ url: server.url, requests: server.requests, statuses, open: [], fault: null },
    env: { GITHUB_API_URL: server.url },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
  return api
}

function answerTo(
  request: IncomingMessage,
  { url, open }: Pick<GitHubApi, 'url' | 'open'>,
  repository: string,
): { page: number; answer: Answer } {
  const { pathname, searchParams } = new URL(request.url ?? '', url)
  const size = Math.min(Number(searchParams.get('per_page') ?? 30), 100)
  const page = Number(searchParams.get('page') ?? 1)
  if (request.headers.authorization !== `Bearer ${GITHUB_TOKEN}`) return { page, answer: refusal(401) }
  // Links of GitHub name the repository by its number.
  if (![`/repos/${repository}/pulls`, '/repositories/42/pulls'].includes(pathname))
    return { page, answer: refusal(404) }
  const sorted = open.toSorted((a, b) => (searchParams.get('direction') === 'asc' ? a - b : b - a))
  const items = sorted.slice((page - 1) * size, page * size).map((number) => pullRequest(number, repository))
  const address = (target: number) => {
    searchParams.set('page', String(target))
    return `<${url}/repositories/42/pulls?${searchParams}>`
  }
  const pages = Math.max(1, Math.ceil(open.length / size))
  const links = [
    ...(page > 1 ? [`${address(page - 1)}; rel="prev"`, `${address(1)}; rel="first"`] : []),
    ...(page < pages ? [`${address(page + 1)}; rel="next"`, `${address(pages)}; rel="last"`] : []),
  ]
  const etag = `W/"${createHash('sha256').update(JSON.stringify(items)).digest('hex')}"`
  const headers = { etag, ...(links.length > 0 && { link: links.join(', ') }) }
  if (request.headers['if-none-match'] === etag) return { page, answer: { status: 304, headers, body: '' } }
  return { page, answer: { status: 200, headers, body: items } }
}

function pullRequest(number: number, repository: string) {
  const repo = { full_name: repository }
  return { number, state: 'open', title: `Change ${number}`, head: { repo }, base: { repo, ref: 'main' } }
}

const MESSAGES: Record<number, string> = {
  401: 'Bad credentials',
  403: 'Resource not accessible by integration',
  404: 'Not Found',
  500: 'Server Error',
}

/** An answer without a list, as GitHub words it. */
export function refusal(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, body: { message: MESSAGES[status] ?? 'No', status: String(status) } }
}

function send(response: ServerResponse, { status, headers, body, cutAfter }: Answer): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const type = typeof body === 'string' ? 'text/html' : 'application/json; charset=utf-8'
  if (status === 304) {
    response.writeHead(status, headers).end()
    return
  }
  const length = String(Buffer.byteLength(text))
  response.writeHead(status, { 'content-type': type, 'content-length': length, ...headers })
  if (cutAfter === undefined) response.end(text)
  else response.write(text.slice(0, cutAfter), () => response.destroy())
}
