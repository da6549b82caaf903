import { type Fault, refusal } from './github.ts'

/** Changes the items of a list. */
function items(change: (items: Record<string, unknown>[], page: number) => unknown): Fault {
  return (answer, page) =>
    Array.isArray(answer.body) ? { ...answer, body: change(answer.body, page) } : answer
}

function link(change: (link: string, page: number) => string): Fault {
  return (answer, page) => {
    const { link: old = '', ...headers } = answer.headers
    const changed = change(old, page)
    return { ...answer, headers: changed === '' ? headers : { ...headers, link: changed } }
  }
}

/** Ways to answer that must not drop a database, and what the step says. They need more than 200 open pull requests. */
export const FAULTS: Readonly<Record<string, { fault: Fault; says: RegExp }>> = {
  forbidden: { fault: () => refusal(403), says: /403 .*not accessible.*pull-requests: read/ },
  'not found': { fault: () => refusal(404), says: /404 \(Not Found\).*pull-requests: read/ },
  'bad token': { fault: () => refusal(401), says: /401 \(Bad credentials\).*check github-token/ },
  'rate limit': {
    fault: () => refusal(403, { 'x-ratelimit-remaining': '0' }),
    says: /rate limit is reached/,
  },
  'secondary limit': { fault: () => refusal(429, { 'retry-after': '60' }), says: /rate limit is reached/ },
  broken: { fault: () => refusal(500), says: /answered 500/ },
  'broken later': { fault: (answer, page) => (page === 2 ? refusal(502) : answer), says: /answered 502/ },
  moved: { fault: () => refusal(301, { location: '/repositories/42/pulls' }), says: /answered 301/ },
  'never changed': { fault: (answer) => ({ ...answer, status: 304, body: '' }), says: /answered 304/ },
  'no content': { fault: (answer) => ({ ...answer, status: 204, body: '' }), says: /answered 204/ },
  html: { fault: (answer) => ({ ...answer, body: '<!doctype html><p>Log in' }), says: /is not JSON/ },
  'half of the JSON': {
    fault: (answer) => ({ ...answer, body: JSON.stringify(answer.body).slice(0, -1) }),
    says: /is not JSON/,
  },
  nothing: { fault: (answer) => ({ ...answer, body: '' }), says: /is not JSON/ },
  null: { fault: (answer) => ({ ...answer, body: null }), says: /is not a list/ },
  'an object': { fault: (answer) => ({ ...answer, body: { items: answer.body } }), says: /is not a list/ },
  cut: { fault: (answer) => ({ ...answer, cutAfter: 50 }), says: /could not be read/ },
  'cut later': {
    fault: (answer, page) => (page === 3 ? { ...answer, cutAfter: 50 } : answer),
    says: /could not be read/,
  },
  'another repository': {
    fault: items((all) => all.map((one) => ({ ...one, base: { repo: { full_name: 'acme/other' } } }))),
    says: /pull requests of "acme\/other" instead of acme\/shop/,
  },
  'one of another repository': {
    fault: items(([first, ...rest], page) =>
      page === 3 ? [{ ...first, base: { repo: { full_name: 'acme/other' } } }, ...rest] : [first, ...rest],
    ),
    says: /pull requests of "acme\/other"/,
  },
  'closed ones': {
    fault: items((all) => all.map((one) => ({ ...one, state: 'closed' }))),
    says: /not a list of open pull requests/,
  },
  'texts as numbers': {
    fault: items((all) => all.map((one) => ({ ...one, number: String(one.number) }))),
    says: /not a list of open pull requests/,
  },
  numbers: {
    fault: items((all) => all.map(({ number }) => number)),
    says: /not a list of open pull requests/,
  },
  'a short page': {
    fault: items((all, page) => (page === 2 ? all.slice(1) : all)),
    says: /a page is too short/,
  },
  'an empty page': { fault: items((all, page) => (page === 1 ? [] : all)), says: /a page is too short/ },
  'a page twice': {
    fault: link((old, page) => (page === 2 ? old.replace(/page=3(?=>; rel="next")/, 'page=2') : old)),
    says: /page 2 does not link to the next one/,
  },
  'the same pull request twice': {
    fault: items((all, page) => (page === 3 ? [{ ...all[0], number: 1 }, ...all.slice(1)] : all)),
    says: /a pull request is in it twice/,
  },
  'no links': { fault: link(() => ''), says: /a page is not linked/ },
  'no link to the last page': {
    fault: link((old, page) => (page === 2 ? '' : old)),
    says: /a page is not linked/,
  },
  'fewer pages than promised': {
    fault: link((old, page) => (page === 1 ? old.replace(/page=\d+(?=>; rel="last")/, 'page=9') : old)),
    says: /it has 3 pages instead of 9/,
  },
  'a skipped page': {
    fault: link((old, page) => (page === 1 ? old.replace('page=2', 'page=3') : old)),
    says: /page 1 does not link to the next one/,
  },
  'another host': {
    fault: link((old) => old.replaceAll('http://127.0.0.1', 'http://127.0.0.2')),
    says: /another host.*the token is not sent there/,
  },
}
