import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fakeMachine, type Machine } from '../../../../lab/tools/fake-machine.ts'
import { programPrinting } from '../../../../lab/tools/tiny-program.ts'
import { fileServer, webServer } from '../../../../lab/tools/web-server.ts'
import { zipOf } from '../../../../lab/tools/zip-file.ts'
import { type AwsOptions, provideAwsCli } from '../../../../src/tools/aws/provide-aws-cli.ts'

const VERSION = '2.38.1'
const BUNDLE = `/awscli.amazonaws.com/awscli-exe-linux-x86_64-${VERSION}.zip`
const PRINTED = `aws-cli/${VERSION} Python/3.14.0 Linux/6 exe/x86_64\n`

/** A program that would be a full AWS CLI bundle, if it did anything but say its version. */
const bundle = zipOf({ 'aws/install': Buffer.from('#!/bin/sh\n'), 'aws/dist/aws': programPrinting(PRINTED) })

const skip =
  process.platform === 'linux' && process.arch === 'x64' ? false : 'the fake program is for x86-64 Linux'

/** Options with a mirror, and with the digest that a user pins, which stands in for AWS's signature. */
const asking = (
  machine: Machine,
  downloadBaseUrl: string | null = null,
  pinned: Buffer | null = bundle,
): AwsOptions => ({
  ...machine.options,
  release: { version: VERSION, sha256: pinned && digestOf(pinned) },
  downloadBaseUrl,
})
const digestOf = (content: Buffer) => createHash('sha256').update(content).digest('hex')
const aws = (machine: Machine, directory: string, version: string) =>
  machine.program(`${directory}/aws`, `echo "aws-cli/${version} Python/3.13.4 Linux/6 exe/x86_64"`)

/** An apt-get that brings an AWS CLI of its own, and notes how it was called. */
const packageManager = (machine: Machine, name: string, version = '2.31.35') =>
  machine.program(
    `bin/${name}`,
    `echo "$*" >> '${machine.root}/calls'`,
    `printf '#!/bin/sh\\necho aws-cli/${version} Python/3.13\\n' > '${machine.root}/bin/aws'`,
    `/bin/chmod 755 '${machine.root}/bin/aws'`,
  )

test('takes the newest that works, on PATH or where installers put it', async () => {
  await using machine = fakeMachine('debian', { installTools: 'never' })
  aws(machine, 'bin', '1.45.11')
  machine.program('other/aws', 'echo "aws-cli/2.99.0"', 'exit 127')
  const newest = aws(machine, 'usr/local/bin', '2.38.1')
  aws(machine, 'usr/local/aws-cli/v2/current/bin', '2.9.19')
  machine.options.environment.env.PATH += `:${join(machine.root, 'other')}`
  const cli = await provideAwsCli(asking(machine))
  assert.deepEqual(cli, { path: newest, version: '2.38.1', major: 2, supportsConditionalPut: true })
  assert.deepEqual(machine.lines, [`AWS CLI 2.38.1 (${newest})`])
})

test('the version of an official installation is in its path, and nothing is started for it', async () => {
  await using machine = fakeMachine('debian', { installTools: 'never' })
  machine.program('usr/local/aws-cli/v2/2.38.1/dist/aws', `echo started >> '${machine.root}/calls'`)
  symlinkSync(
    join(machine.root, 'usr/local/aws-cli/v2/2.38.1'),
    join(machine.root, 'usr/local/aws-cli/v2/current'),
  )
  mkdirSync(join(machine.root, 'usr/local/aws-cli/v2/2.38.1/bin'))
  symlinkSync('../dist/aws', join(machine.root, 'usr/local/aws-cli/v2/2.38.1/bin/aws'))
  const cli = await provideAwsCli(asking(machine))
  assert.equal(cli.version, '2.38.1')
  assert.equal(machine.read('calls'), '')
  // On Alpine it does not work, which only a start shows.
  writeFileSync(join(machine.root, 'etc/alpine-release'), '3.22.0')
  await assert.rejects(provideAwsCli(asking(machine)), /The AWS CLI is missing/)
})

/** Puts a script of Python 3.11 and its package into a machine; it notes its starts, and says another version then. */
function packageOfPython(machine: Machine, folder: string): void {
  const started = [`echo started >> '${machine.root}/calls'`, 'echo aws-cli/2.38.1 Python/3.11.2']
  machine.program('usr/bin/python3.11', ...started)
  symlinkSync('python3.11', join(machine.root, 'usr/bin/python3'))
  mkdirSync(join(machine.root, 'usr/local/lib', folder, 'awscli-2.9.19.dist-info'), { recursive: true })
  const script = machine.program('usr/local/bin/aws')
  writeFileSync(script, `#!${machine.root}/usr/bin/python3\n# A script of Python.\n`)
}

/** The folders of a Python 3.11 in which packages say their version, and whether an AWS CLI there needs no start for it. */
const PYTHON_FOLDERS: [string, boolean][] = [
  ['python3.11/site-packages', true],
  ['python3.11/dist-packages', true],
  ['python3/dist-packages', true],
  // What an older Python left behind.
  ['python3.10/site-packages', false],
]

for (const [folder, isKnown] of PYTHON_FOLDERS) {
  test(`${isKnown ? 'nothing is' : 'a script is'} started for the version of an AWS CLI in ${folder}`, async () => {
    await using machine = fakeMachine('debian', { installTools: 'never' })
    packageOfPython(machine, folder)
    const { version } = await provideAwsCli(asking(machine))
    assert.equal(version, isKnown ? '2.9.19' : '2.38.1')
    assert.equal(machine.read('calls'), isKnown ? '' : 'started\n')
  })
}

test('an AWS CLI without its Python does not work', async () => {
  await using machine = fakeMachine('debian', { installTools: 'never' })
  packageOfPython(machine, 'python3/dist-packages')
  rmSync(join(machine.root, 'usr/bin/python3.11'))
  await assert.rejects(provideAwsCli(asking(machine)), /The AWS CLI is missing/)
})

test('where the tool cache cannot be written the temporary folder is used', { skip }, async () => {
  await using machine = fakeMachine()
  // A file stands where the folder should be made.
  machine.program('tools', 'exit 1')
  machine.options.environment.env.RUNNER_TEMP = join(machine.root, 'temp')
  await using web = await fileServer({ [BUNDLE]: bundle })
  const { path } = await provideAwsCli(asking(machine, web.url))
  assert.equal(path, join(machine.root, 'temp/pgclone-action/aws-cli', VERSION, 'x64/aws/dist/aws'))
  assert.equal((await provideAwsCli(asking(machine, web.url))).path, path)
})

test('#27 a missing one is named, with what to do, when nothing may be installed', async () => {
  await using machine = fakeMachine('debian', { installTools: 'never' })
  aws(machine, 'bin', '1.18.69')
  mkdirSync(join(machine.root, 'usr/local/bin/aws'), { recursive: true })
  const sentence =
    /^The AWS CLI is missing: .*install-tools is never\. Install AWS CLI 2 before this step .*install-tools to auto\.$/
  await assert.rejects(provideAwsCli(asking(machine)), { message: sentence })
})

test('installs the official bundle, without root, and finds it again', { skip }, async () => {
  await using machine = fakeMachine()
  machine.options.environment.isRoot = false
  await using web = await fileServer({ [BUNDLE]: bundle })
  const cli = await provideAwsCli(asking(machine, web.url))
  const home = join(machine.root, 'tools/pgclone-action/aws-cli', VERSION, 'x64')
  assert.deepEqual([cli.version, cli.path], [VERSION, join(home, 'aws/dist/aws')])
  assert.ok(machine.lines.includes('The AWS CLI 2.38.1 is genuine by the SHA-256 in aws-cli-version'))
  assert.deepEqual(await provideAwsCli(asking(machine, web.url)), cli)
  assert.deepEqual(web.requests, [BUNDLE])
  assert.deepEqual(readdirSync(join(machine.root, 'tools')), ['pgclone-action'])
})

/** A program that leaves a trace when it is started. */
const canary = (machine: Machine) =>
  Buffer.from(`#!/bin/sh\necho started > '${machine.root}/canary'\necho ${PRINTED}`)

const BAD_BUNDLES: [string, (machine: Machine) => Buffer, RegExp][] = [
  ['that is cut', () => bundle.subarray(0, bundle.length - 30), /zip is not complete/],
  ['that is a login page', () => Buffer.from(`<html>${'x'.repeat(200)}</html>`), /is not a zip file/],
  [
    'for another processor',
    () => zipOf({ 'aws/dist/aws': programPrinting(PRINTED, 183) }),
    /is not for x64 Linux/,
  ],
  ['for another system', (machine) => zipOf({ 'aws/dist/aws': canary(machine) }), /is not for x64 Linux/],
  [
    'without the program',
    () => zipOf({ 'gcp/dist/gcp': programPrinting(PRINTED) }),
    /does not contain the aws program/,
  ],
  [
    'of another version',
    () => zipOf({ 'aws/dist/aws': programPrinting(PRINTED.replace(VERSION, '2.15.0')) }),
    /it is version 2\.15\.0/,
  ],
  [
    'that does not answer',
    () => zipOf({ 'aws/dist/aws': programPrinting('hello') }),
    /does not run on this system/,
  ],
]

for (const [name, content, reason] of BAD_BUNDLES) {
  test(`a bundle ${name} is not used, the package is`, { skip }, async () => {
    await using machine = fakeMachine()
    packageManager(machine, 'apt-get')
    const bad = content(machine)
    await using web = await fileServer({ [BUNDLE]: bad })
    const cli = await provideAwsCli(asking(machine, web.url, bad))
    assert.deepEqual([cli.version, cli.path], ['2.31.35', join(machine.root, 'bin/aws')])
    assert.equal(machine.warnings.length, 1)
    assert.match(machine.warnings[0]!, reason)
    assert.equal(machine.read('canary'), '')
    assert.deepEqual(readdirSync(join(machine.root, 'tools')), [])
  })
}

/** The bundle beside a signature, or null for none, and why it must not be started. */
const UNPROVEN: [string, Buffer | null, Buffer | null, RegExp][] = [
  ['another digest', Buffer.from('another'), null, /its SHA-256 is [0-9a-f]{64}, and aws-cli-version says/],
  ['no signature', null, null, /\.sig could not be downloaded: .*404/],
  [
    'a page for a signature',
    null,
    Buffer.from('<html>'),
    /its signature is not valid: it is not OpenPGP data/,
  ],
  ['an empty signature', null, Buffer.alloc(0), /its signature is not valid: it is not a detached signature/],
]

for (const [name, pinned, signature, reason] of UNPROVEN) {
  test(`a bundle with ${name} is never started`, { skip }, async () => {
    await using machine = fakeMachine()
    packageManager(machine, 'apt-get')
    const traced = zipOf({ 'aws/dist/aws': canary(machine) })
    await using web = await fileServer({
      [BUNDLE]: traced,
      ...(signature && { [`${BUNDLE}.sig`]: signature }),
    })
    assert.equal((await provideAwsCli(asking(machine, web.url, pinned))).version, '2.31.35')
    assert.match(machine.warnings[0]!, reason)
    assert.equal(machine.read('canary'), '')
    assert.deepEqual(web.requests, pinned ? [BUNDLE] : [BUNDLE, `${BUNDLE}.sig`])
  })
}

test('without the download server the package is installed', async () => {
  await using machine = fakeMachine()
  packageManager(machine, 'apt-get')
  await using web = await fileServer({})
  assert.equal((await provideAwsCli(asking(machine, web.url))).version, '2.31.35')
  assert.match(
    machine.warnings[0]!,
    /^official bundle 2\.38\.1: .* answered 404\. Trying the system's package manager/,
  )
  assert.match(machine.read('calls'), /^-q -y .*install --no-install-recommends awscli\n$/)
})

test('on musl only the package is tried', async () => {
  await using machine = fakeMachine('alpine')
  packageManager(machine, 'apk')
  await using web = await webServer((_, response) => response.end(bundle))
  assert.equal((await provideAwsCli(asking(machine, web.url))).version, '2.31.35')
  assert.deepEqual(web.requests, [])
  assert.equal(machine.read('calls'), 'add --no-cache --wait 120 aws-cli\n')
})

test('a package that is too old does not serve, and every reason is told', async () => {
  await using machine = fakeMachine()
  packageManager(machine, 'apt-get', '1.22.34')
  await using web = await fileServer({})
  await assert.rejects(provideAwsCli(asking(machine, web.url)), (error: Error) => {
    assert.match(
      error.message,
      /^The AWS CLI is missing: .* on Debian GNU\/Linux 12 \(bookworm\) failed: official bundle/,
    )
    assert.match(
      error.message,
      /awscli \(apt\): it was installed, but it cannot be used; .*fresh package lists/,
    )
    assert.match(error.message, /Install AWS CLI 2 before this step/)
    return true
  })
})

test('on a system that we do not know only the bundle is tried', async () => {
  await using machine = fakeMachine('unknown')
  await using web = await fileServer({})
  await assert.rejects(
    provideAwsCli(asking(machine, web.url)),
    /Installing it on Slackware 15 failed: official bundle/,
  )
})

test('a cancelled run stops the download and installs nothing else', async () => {
  await using machine = fakeMachine()
  packageManager(machine, 'apt-get')
  const cancel = new AbortController()
  await using web = await webServer(() => cancel.abort(new Error('the run was cancelled')))
  const options = { ...asking(machine, web.url), signal: cancel.signal }
  await assert.rejects(provideAwsCli(options), { message: 'the run was cancelled' })
  assert.equal(machine.read('calls'), '')
})

const PACKAGE = `/awscli.amazonaws.com/AWSCLIV2-${VERSION}.pkg`

/** A pkgutil that says what it is told about the signature, and unpacks an AWS CLI. */
function pkgutil(machine: Machine, signature: string): void {
  const program = '"$3/aws-cli.pkg/Payload/aws-cli/aws"'
  machine.program(
    'bin/pkgutil',
    `if [ "$1" = --check-signature ]; then echo '${signature}'; exit 0; fi`,
    '/bin/mkdir -p "$3/aws-cli.pkg/Payload/aws-cli"',
    `printf '#!/bin/sh\\necho aws-cli/${VERSION} Python/3.14.0 Darwin/24\\n' > ${program}`,
    `/bin/chmod 755 ${program}`,
  )
}

test('on macOS the package is checked and unpacked, not installed', async () => {
  await using machine = fakeMachine()
  machine.options.environment.platform = 'darwin'
  pkgutil(machine, 'Status: signed by a developer certificate issued by Apple, AMZN Mobile LLC (94KV3E626L)')
  await using web = await fileServer({ [PACKAGE]: 'xar!' })
  const { path } = await provideAwsCli(asking(machine, web.url, null))
  assert.match(path, /\/tools\/pgclone-action\/aws-cli\/2\.38\.1\/\w+\/aws-cli\.pkg\/Payload\/aws-cli\/aws$/)
})

test('on macOS a package that is not signed by Amazon gives way to Homebrew', async () => {
  await using machine = fakeMachine()
  machine.options.environment.platform = 'darwin'
  machine.options.environment.isRoot = false
  pkgutil(machine, 'Status: signed by a developer certificate issued by Apple, Somebody (AAAAAAAAAA)')
  packageManager(machine, 'brew')
  await using web = await fileServer({ [PACKAGE]: 'xar!' })
  assert.equal((await provideAwsCli(asking(machine, web.url, null))).version, '2.31.35')
  assert.match(machine.warnings[0]!, /it is not signed by Amazon/)
  assert.equal(machine.read('calls'), 'install --quiet awscli\n')
})
