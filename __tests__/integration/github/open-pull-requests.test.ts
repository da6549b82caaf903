import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { FAULTS } from '../../../lab/github/faults.ts'
import { type GitHubApi, startGitHub } from '../../../lab/github/github.ts'
import { GITHUB_TOKEN } from '../../../lab/runner/action-inputs.ts'
import { webServer } from '../../../lab/tools/web-server.ts'
import { OpenPullRequests } from '../../../src/github/open-pull-requests.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

function reader({ url }: Pick<GitHubApi, 'url'>, more: { token?: string; repository?: string } = {}) {
  const { signal } = new AbortController()
  return new OpenPullRequests({ url, repository: 'acme/shop', token: GITHUB_TOKEN, signal, ...more }, {})
}

test('all pages are read, whatever their number, and again only what has changed', async () => {
  await using api = await startGitHub()
  for (const count of [0, 1, 99, 100, 101, 200, 250]) {
    api.open = numbers(count).toReversed()
    const open = await reader(api).read()
    assert.deepEqual([...open], numbers(count).map(String))
  }
  api.statuses.length = 0
  const pullRequests = reader(api)
  await pullRequests.read()
  api.open = numbers(251)
  const open = await pullRequests.read()
  assert.ok(open.has('251'))
  assert.deepEqual(api.statuses, [200, 200, 200, 304, 304, 200])
})

test('the name of the repository is compared as GitHub does', async () => {
  await using api = await startGitHub()
  api.open = [7]
  api.fault = (answer) => ({
    ...answer,
    body: [{ number: 7, state: 'open', base: { repo: { full_name: 'ACME/Shop' } } }],
  })
  assert.deepEqual([...(await reader(api).read())], ['7'])
})

test('an answer that is refused, cut, wrong or incomplete is no list', async () => {
  await using api = await startGitHub()
  api.open = numbers(250)
  for (const [name, { fault, says }] of Object.entries(FAULTS)) {
    api.fault = fault
    await assert.rejects(
      reader(api).read(),
      (error: Error) => {
        assert.match(error.message, says, name)
        assert.ok(!error.message.includes(GITHUB_TOKEN), name)
        return true
      },
      name,
    )
  }
  api.fault = null
  await assert.rejects(reader(api, { token: 'wrong' }).read(), /401/)
  await assert.rejects(reader(api, { repository: 'acme/other' }).read(), /404/)
  await api[Symbol.asyncDispose]()
  await assert.rejects(reader(api).read(), /could not be read: \w/)
})

test('a list without an end has an end', async () => {
  await using api = await startGitHub()
  let number = 0
  api.fault = (_, page) => {
    number += 1
    const link = `<${api.url}/repos/acme/shop/pulls?page=${page + 1}>; rel="next"`
    return { status: 200, headers: { link }, body: [{ number, state: 'open' }] }
  }
  await assert.rejects(reader(api).read(), /more than 200 pages/)
})

test('the proxy of the environment is used', async () => {
  await using api = await startGitHub()
  api.open = [5]
  await using proxy = await webServer((_, response) => response.end())
  const tunnels: (string | undefined)[] = []
  proxy.server.on('connect', (request, socket) => {
    tunnels.push(request.url)
    const upstream = connect(Number(new URL(api.url).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
  })
  const { signal } = new AbortController()
  const github = { url: 'http://api.github.test', repository: 'acme/shop', token: GITHUB_TOKEN, signal }
  const open = await new OpenPullRequests(github, { HTTP_PROXY: proxy.url }).read()
  assert.deepEqual([[...open], tunnels], [['5'], ['api.github.test:80']])
})
