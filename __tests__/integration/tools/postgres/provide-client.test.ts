import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fakeMachine, type Machine } from '../../../../lab/tools/fake-machine.ts'
import { fileServer } from '../../../../lab/tools/web-server.ts'
import { provideAwsCli } from '../../../../src/tools/aws/provide-aws-cli.ts'
import { anyClient, type PostgresNeed, provideClient } from '../../../../src/tools/postgres/provide-client.ts'

const dump = (serverMajor: number): PostgresNeed => ({ purpose: 'dump', serverMajor })

/**
 * A package manager that installs `postgresql…N…` by copying a prepared client to its place, knows the given majors
 * only, and notes how it was called.
 */
function packageManager(
  machine: Machine,
  name: string,
  majors: Record<number, string>,
  place: (major: number) => string,
) {
  const cases = Object.entries(majors).map(([major, version]) => {
    machine.client(`stock/${major}`, version)
    const target = join(machine.root, place(Number(major)))
    return `*postgresql*${major}*) /bin/mkdir -p '${target}' && /bin/cp -R '${machine.root}/stock/${major}/.' '${target}' ;;`
  })
  machine.program(
    `bin/${name}`,
    `echo "$*" >> '${machine.root}/calls'`,
    'case "$*" in',
    ...cases,
    '*update*|*ca-certificates*) ;;',
    '*) echo "E: Unable to locate package" >&2; exit 100 ;;',
    'esac',
  )
}

function aptWith(machine: Machine, majors: Record<number, string>): void {
  packageManager(machine, 'apt-get', majors, (major) => `usr/lib/postgresql/${major}/bin`)
  const policy = Object.keys(majors).map(
    (major) => `echo "postgresql-client-${major}:\n  Candidate: ${majors[Number(major)]}-1"`,
  )
  machine.program('bin/apt-cache', ...policy)
  // The real ones would write outside of the machine.
  for (const name of ['install', 'rm'])
    machine.program(`bin/${name}`, `echo "${name} $*" >> '${machine.root}/calls'`)
}

test('takes the fitting client at hand and says which one', async () => {
  await using machine = fakeMachine('debian', { installTools: 'never' })
  machine.client('usr/lib/postgresql/15/bin', '15.18')
  machine.client('usr/lib/postgresql/17/bin', '17.10')
  const client = await provideClient(dump(14), machine.options)
  assert.equal(client.pgDump, join(machine.root, 'usr/lib/postgresql/15/bin/pg_dump'))
  const line = `PostgreSQL client 15.18 in ${client.directory} (fits a PostgreSQL 14 server)`
  assert.deepEqual(machine.lines, [line])
})

test('names what is missing, what is there and what to do when nothing may be installed', async () => {
  await using machine = fakeMachine('debian', { installTools: 'never' })
  machine.client('usr/lib/postgresql/15/bin', '15.18')
  await assert.rejects(provideClient(dump(17), machine.options), (error: Error) => {
    assert.match(
      error.message,
      /^A PostgreSQL client .* is missing: PostgreSQL 17 needs a client of major 17 or newer/,
    )
    assert.match(
      error.message,
      /found: 15\.18 in .*\/usr\/lib\/postgresql\/15\/bin\. install-tools is never\./,
    )
    assert.match(error.message, /the package postgresql-client-17 .*, or set install-tools to auto\.$/)
    return true
  })
})

test("installs the distribution's client when it serves", async () => {
  await using machine = fakeMachine()
  aptWith(machine, { 15: '15.18' })
  assert.equal((await provideClient(dump(13), machine.options)).version, '15.18')
  assert.match(machine.read('calls'), /^-q -y .* install --no-install-recommends postgresql-client-15\n$/)
})

test("uses PostgreSQL's repository for another major, and takes it away again", async () => {
  await using machine = fakeMachine()
  aptWith(machine, { 15: '15.18' })
  machine.client('stock/17', '17.10')
  const target = join(machine.root, 'usr/lib/postgresql/17')
  // The repository's list decides whether apt knows 17.
  machine.program(
    'bin/apt-get',
    `echo "$*" >> '${machine.root}/calls'`,
    `case "$*" in *client-17*) /bin/mkdir -p '${target}' && /bin/cp -R '${machine.root}/stock/17' '${target}/bin' ;; esac`,
  )
  assert.equal((await provideClient(dump(17), machine.options)).version, '17.10')
  const calls = machine.read('calls').trim().split('\n')
  assert.deepEqual(
    calls.map((call) =>
      call.replace(/^-q -y(?: -o \S+)+ /, 'apt-get ').replace(/\/\S*pgclone-action-\w{6}(?=\/)/, 'TEMP'),
    ),
    [
      'apt-get update',
      'apt-get install --no-install-recommends ca-certificates',
      'install -D -m 644 TEMP/key.asc /etc/apt/keyrings/pgclone-action-pgdg.asc',
      'install -D -m 644 TEMP/source.list /etc/apt/sources.list.d/pgclone-action-pgdg.list',
      'apt-get update -o Dir::Etc::SourceList=/etc/apt/sources.list.d/pgclone-action-pgdg.list' +
        ' -o Dir::Etc::SourceParts=- -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any',
      'apt-get install --no-install-recommends postgresql-client-17',
      'rm -f /etc/apt/sources.list.d/pgclone-action-pgdg.list /etc/apt/keyrings/pgclone-action-pgdg.asc',
    ],
  )
  assert.equal(existsSync(/(\/\S*pgclone-action-\w{6})\//.exec(machine.read('calls'))![1]!), false)
})

test("falls back to the distribution's newer client when PostgreSQL's repository fails", async () => {
  await using machine = fakeMachine()
  aptWith(machine, { 17: '17.10' })
  const client = await provideClient(dump(15), machine.options)
  assert.equal(client.version, '17.10')
  assert.match(machine.read('calls'), /^rm -f .*pgclone-action-pgdg\.list/m)
  assert.match(machine.lines.at(-1)!, /newer than ideal for a PostgreSQL 15 server/)
})

test('tells every reason when nothing could be installed', async () => {
  await using machine = fakeMachine()
  aptWith(machine, {})
  await assert.rejects(provideClient(dump(17), machine.options), (error: Error) => {
    assert.match(error.message, /missing: PostgreSQL 17 .* found: none\. Installing it failed: /)
    assert.match(
      error.message,
      /postgresql-client-17 from apt\.postgresql\.org: apt-get ended with exit code 100: E: Unable/,
    )
    return true
  })
})

test('without root and without sudo it says so at once', async () => {
  await using machine = fakeMachine()
  aptWith(machine, { 16: '16.14' })
  machine.options.environment.isRoot = false
  machine.program('bin/sudo', 'echo "sudo: a password is required" >&2', 'exit 1')
  await assert.rejects(
    provideClient(dump(15), machine.options),
    /needs root, and sudo .*a password is required/,
  )
  assert.equal(machine.read('calls'), '')
})

test('with sudo it installs as root', async () => {
  await using machine = fakeMachine()
  aptWith(machine, { 16: '16.14' })
  machine.options.environment.isRoot = false
  machine.program('bin/sudo', `echo "sudo $*" >> '${machine.root}/calls'`, 'shift 2', '"$@"')
  machine.program('bin/true', 'exit 0')
  assert.equal((await provideClient(dump(15), machine.options)).version, '16.14')
  assert.match(
    machine.read('calls'),
    /^sudo -n --preserve-env=\S+DEBIAN_FRONTEND apt-get .*postgresql-client-16$/m,
  )
})

test('installations wait for each other, and the second finds what the first brought', async () => {
  await using machine = fakeMachine('alpine')
  machine.client('stock', '16.14')
  // Like apk's own lock, which does not wait for long.
  machine.program(
    'bin/apk',
    `/bin/mkdir '${machine.root}/lock' || exit 99`,
    `echo "$*" >> '${machine.root}/calls'`,
    '/bin/sleep 0.3',
    `case "$*" in *aws-cli*) printf '#!/bin/sh\\necho aws-cli/2.27.25\\n' > '${machine.root}/bin/aws'; /bin/chmod 755 '${machine.root}/bin/aws' ;;`,
    `*) /bin/mkdir -p '${machine.root}/usr/libexec' && /bin/cp -R '${machine.root}/stock' '${machine.root}/usr/libexec/postgresql16' ;; esac`,
    `/bin/rmdir '${machine.root}/lock'`,
  )
  const release = { version: '2.38.1', sha256: null }
  const [first, second, aws] = await Promise.all([
    provideClient(dump(15), machine.options),
    provideClient(dump(14), machine.options),
    provideAwsCli({ ...machine.options, release }),
  ])
  assert.deepEqual([first.version, second.version, aws.version], ['16.14', '16.14', '2.27.25'])
  const calls = machine.read('calls').trim().split('\n').sort()
  assert.deepEqual(calls, [
    'add --no-cache --wait 120 aws-cli',
    'add --no-cache --wait 120 postgresql16-client',
  ])
})

test('Alpine tries the majors that serve, best first', async () => {
  await using machine = fakeMachine('alpine')
  packageManager(machine, 'apk', { 15: '15.18', 17: '17.10' }, (major) => `usr/libexec/postgresql${major}`)
  assert.equal((await provideClient(dump(14), machine.options)).version, '15.18')
  assert.equal(
    machine.read('calls'),
    'add --no-cache --wait 120 postgresql16-client\nadd --no-cache --wait 120 postgresql15-client\n',
  )
})

test("Fedora's own package is installed", async () => {
  await using machine = fakeMachine('fedora')
  packageManager(machine, 'dnf', { 16: '16.14' }, () => 'bin')
  await using web = await fileServer({})
  const options = { ...machine.options, downloadBaseUrl: web.url }
  assert.equal((await provideClient(dump(15), options)).version, '16.14')
  assert.equal(machine.read('calls'), '-y -q install postgresql16\n')
  assert.deepEqual(web.requests, [])
})

test('a rebuild of RHEL without a package is told where to get one', async () => {
  await using machine = fakeMachine('rocky')
  machine.program(
    'bin/dnf',
    `echo "$*" >> '${machine.root}/calls'`,
    'echo "Error: Unable to find a match" >&2',
    'exit 1',
  )
  const options = { ...machine.options, postgresVersion: 17 }
  await assert.rejects(provideClient(dump(16), options), (error: Error) => {
    assert.match(
      error.message,
      /Installing it failed: postgresql17 \(dnf\): dnf ended .*Unable to find a match/,
    )
    assert.match(
      error.message,
      /Install one before this step: the package postgresql17 \(https:\/\/www\.postgresql\.org\/download\/linux\/redhat\/ has all versions\)\.$/,
    )
    return true
  })
  assert.equal(
    machine.read('calls'),
    '-y -q install postgresql17\n-y -q module install postgresql:17/client\n',
  )
})

test('a system that we do not know gets a sentence', async () => {
  await using machine = fakeMachine('unknown')
  await assert.rejects(
    provideClient(dump(16), machine.options),
    /this action cannot install it on Slackware 15\. Install one before this step: the programs of/,
  )
})

test('postgres-version is obeyed, and installed when it is missing', async () => {
  await using machine = fakeMachine('debian', { postgresVersion: 17 })
  machine.client('usr/lib/postgresql/16/bin', '16.14')
  aptWith(machine, { 17: '17.10' })
  assert.equal((await provideClient(dump(15), machine.options)).version, '17.10')
  assert.match(machine.lines.at(-1)!, /\(postgres-version: 17, for a PostgreSQL 15 server\)$/)
})

test('for the first look any client will do, the newest first', async () => {
  await using machine = fakeMachine('debian', { installTools: 'never', postgresVersion: 18 })
  machine.client('usr/lib/postgresql/15/bin', '15.18')
  machine.client('usr/lib/postgresql/17/bin', '17.10')
  assert.equal((await anyClient(machine.options)).version, '17.10')
})

test("for the first look the distribution's own client is installed", async () => {
  await using machine = fakeMachine()
  aptWith(machine, { 17: '17.10' })
  assert.equal((await anyClient(machine.options)).version, '17.10')
  await using nothing = fakeMachine('debian', { installTools: 'never' })
  await assert.rejects(anyClient(nothing.options), /is missing: none was found\. install-tools is never/)
})

for (const installTools of ['auto', 'never'] as const) {
  test(`on Windows nothing is installed, and the error says what to install (${installTools})`, async () => {
    await using machine = fakeMachine('debian', { installTools })
    machine.options.environment.platform = 'win32'
    await assert.rejects(provideClient(dump(15), machine.options), (error: Error) => {
      assert.match(error.message, /cannot install it on Windows|install-tools is never/)
      assert.match(
        error.message,
        /postgresql\.org\/download\/windows\/ in C:\\Program Files\\PostgreSQL\\16, or .* PGBIN\.$/,
      )
      return true
    })
  })
}
