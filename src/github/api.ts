import { messageOf, TransientError } from '../errors.ts'
import { rootCause } from '../process/proxy.ts'
import { isObject, isText } from '../shape.ts'

/** The API of the runner's GitHub, and the repository of the workflow. */
export type GitHub = {
  /** `https://api.github.com`, without a slash at the end. */
  url: string
  /** `owner/name`. */
  repository: string
  /** Empty to ask without one. */
  token: string
  signal: AbortSignal
}

/** One page of a list, and where the next and the last page are. */
export type Answer = {
  items: readonly unknown[]
  next: string | null
  last: string | null
  etag: string | null
}

/** A request that takes longer is stuck. */
const TIMEOUT_MS = 30_000

/**
 * Asks for one page of a list. Redirects are not followed, and the token goes to no other host.
 *
 * @param known the last answer of this address; if it still holds, GitHub does not count the request
 * @throws a TransientError when GitHub could not answer, and an Error when it refused or the answer is not a list
 */
export async function askGitHub(github: GitHub, address: string, known: Answer | null): Promise<Answer> {
  if (new URL(address).origin !== new URL(github.url).origin)
    throw new Error(
      `The GitHub API links to a page on another host, ${new URL(address).origin}; the token is not sent there`,
    )
  const response = await request(github, address, known)
  if (response.status === 304 && known) return known
  const text = await response.text().catch((error) => Promise.reject(unreachable(error, github)))
  if (response.status !== 200) throw refusal(response, text, github.repository)
  const links = response.headers.get('link') ?? ''
  return {
    items: parseList(text),
    next: linkTo('next', links, address),
    last: linkTo('last', links, address),
    etag: response.headers.get('etag'),
  }
}

async function request(
  { token, signal, ...github }: GitHub,
  address: string,
  known: Answer | null,
): Promise<Response> {
  try {
    return await fetch(address, {
      headers: {
        accept: 'application/vnd.github+json',
        'user-agent': 'pgclone-action',
        'x-github-api-version': '2022-11-28',
        ...(token !== '' && { authorization: `Bearer ${token}` }),
        ...(known?.etag && { 'if-none-match': known.etag }),
      },
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
  } catch (error) {
    signal.throwIfAborted()
    throw unreachable(error, github)
  }
}

function unreachable(error: unknown, { url }: Pick<GitHub, 'url'>): Error {
  return new TransientError(
    `The GitHub API at ${url} could not be read: ${rootCause(error)}; no database is dropped without the list of open pull requests`,
    { cause: error },
  )
}

function parseList(text: string): readonly unknown[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(
      `The answer of the GitHub API is not JSON (${messageOf(error)}), so no database is dropped; GITHUB_API_URL must lead to the API of GitHub`,
      { cause: error },
    )
  }
  if (Array.isArray(value)) return value
  throw new Error(
    'The answer of the GitHub API is not a list, so no database is dropped; GITHUB_API_URL must lead to the API of GitHub',
  )
}

/** Returns the address of a page in the header `Link` (RFC 8288), or null. */
function linkTo(relation: string, header: string, base: string): string | null {
  for (const [, address, parameters] of header.matchAll(/<([^<>]*)>([^<]*)/g)) {
    const relations = /;\s*rel="?([^";,]*)"?/i.exec(parameters!)?.[1]?.split(/\s+/)
    if (relations?.includes(relation)) return new URL(address!, base).href
  }
  return null
}

/** Returns the number of the page that an address names, or null. */
export function pageNumber(address: string): number | null {
  const page = new URL(address).searchParams.get('page')
  return page !== null && /^\d{1,9}$/.test(page) ? Number(page) : null
}

/** Returns what a status means and how to go on. GitHub explains most refusals in `message`. */
function refusal({ status, headers }: Response, text: string, repository: string): Error {
  const said = messageIn(text)
  const error = (advice: string) =>
    new Error(`The GitHub API answered ${status}${said}, so no database is dropped; ${advice}`)
  if (status >= 500) return new TransientError(error('run the step again').message)
  if (status === 429 || headers.get('x-ratelimit-remaining') === '0' || headers.has('retry-after'))
    return error('its rate limit is reached, so run the step again in an hour')
  if (status === 401) return error('check github-token')
  if (status === 403) return error('the job needs `permissions: pull-requests: read`')
  if (status === 404)
    return error(
      `the job needs \`permissions: pull-requests: read\`, and github-token must be of ${repository}`,
    )
  return error('GITHUB_API_URL must lead to the API of GitHub')
}

function messageIn(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) && isText(300)(value.message) ? ` (${value.message})` : ''
  } catch {
    return ''
  }
}
