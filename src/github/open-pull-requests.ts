import { TransientError } from '../errors.ts'
import type { Environment } from '../process/environment.ts'
import { useProxy } from '../process/proxy.ts'
import { hasShape, isOneOf, optional } from '../shape.ts'
import { type Answer, askGitHub, type GitHub, pageNumber } from './api.ts'

/** The largest page that GitHub gives. */
const PAGE_SIZE = 100

/** 20,000 pull requests. A list without an end must not keep the step busy. */
const MAX_PAGES = 200

const ADVICE = 'no database is dropped by a list that may be incomplete; run the step again'

/**
 * Reads the open pull requests of a repository. A number that is missing in the answer would drop a database that is
 * used, so an answer counts only if it is complete.
 */
export class OpenPullRequests {
  readonly #github: GitHub
  readonly #environment: Environment
  /** The last answers by their addresses, with which GitHub says that nothing has changed. */
  readonly #known = new Map<string, Answer>()

  constructor(github: GitHub, environment: Environment) {
    this.#github = github
    this.#environment = environment
  }

  /**
   * Returns the numbers of all open pull requests, as they are written.
   *
   * @throws an Error when GitHub refuses, or when the answer is not the whole list of this repository
   */
  async read(): Promise<ReadonlySet<string>> {
    using _ = useProxy(this.#environment)
    const { url, repository } = this.#github
    // New pull requests come last, so that they do not move others from one page to the next.
    const query = `state=open&sort=created&direction=asc&per_page=${PAGE_SIZE}`
    const first = `${url}/repos/${repository}/pulls?${query}`
    const pages = [await this.#page(first)]
    for (let next = pages[0]!.next; next !== null; next = pages.at(-1)!.next) {
      if (pages.length === MAX_PAGES) throw incomplete(`it has more than ${MAX_PAGES} pages`)
      if ((pageNumber(next) ?? pages.length + 1) !== pages.length + 1)
        throw incomplete(`page ${pages.length} does not link to the next one`)
      pages.push(await this.#page(next))
    }
    // A full page without a link to the next one is the last only if the next one is empty.
    if (pages.at(-1)!.items.length === PAGE_SIZE) {
      const beyond = await this.#page(`${first}&page=${pages.length + 1}`)
      if (beyond.items.length > 0) throw incomplete('a page is not linked')
    }
    checkPages(pages)
    return checkNumbers(pages.flatMap(({ items }) => items.map((item) => numberOf(item, repository))))
  }

  async #page(address: string): Promise<Answer> {
    const answer = await askGitHub(this.#github, address, this.#known.get(address) ?? null)
    this.#known.set(address, answer)
    return answer
  }
}

/** Pages before the last one are equally long, and there are as many as the first one says. */
function checkPages(pages: readonly Answer[]): void {
  const lengths = pages.map(({ items }) => items.length)
  const [size, ...full] = lengths.slice(0, -1)
  if (size !== undefined && (size === 0 || lengths.at(-1)! > size || full.some((length) => length !== size)))
    throw incomplete('a page is too short')
  const promised = pages[0]!.last === null ? 1 : pageNumber(pages[0]!.last)
  if (promised !== null && pages.length < promised)
    throw incomplete(`it has ${pages.length} pages instead of ${promised}`)
}

function checkNumbers(numbers: readonly string[]): ReadonlySet<string> {
  const distinct = new Set(numbers)
  if (distinct.size < numbers.length) throw incomplete('a pull request is in it twice')
  return distinct
}

/** Another attempt may get the whole list, because pull requests may have been closed while it was read. */
function incomplete(reason: string): Error {
  return new TransientError(
    `The list of open pull requests of the GitHub API is not complete: ${reason}; ${ADVICE}`,
  )
}

/** What GitHub says of a pull request, as far as it shows that this list is the wrong one. */
const isOpenPullRequest = hasShape({
  number: (value) => Number.isSafeInteger(value) && (value as number) > 0,
  state: optional(isOneOf('open')),
})

function numberOf(item: unknown, repository: string): string {
  if (!isOpenPullRequest(item))
    throw new Error(
      'The answer of the GitHub API is not a list of open pull requests, so no database is dropped; GITHUB_API_URL must lead to the API of GitHub',
    )
  const { number, base } = item as { number: number; base?: { repo?: { full_name?: unknown } | null } }
  const of = base?.repo?.full_name
  if (of !== undefined && String(of).toLowerCase() !== repository.toLowerCase())
    throw new Error(
      `The GitHub API listed pull requests of ${JSON.stringify(of)} instead of ${repository}, so no database is dropped; GITHUB_API_URL must lead to the API of GitHub`,
    )
  return String(number)
}
