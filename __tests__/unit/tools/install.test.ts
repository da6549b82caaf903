import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsBundle } from '../../../src/tools/aws/aws-bundle.ts'
import { awsPackageAttempts, unpackCommand } from '../../../src/tools/aws/aws-install.ts'
import { type Command, withSudo } from '../../../src/tools/command.ts'
import { mirrored } from '../../../src/tools/download.ts'
import type { Attempt } from '../../../src/tools/install.ts'
import { aptAttempts, majorsInPolicy, pgdgSource } from '../../../src/tools/postgres/postgres-apt.ts'
import { namedAttempts } from '../../../src/tools/postgres/postgres-install.ts'
import { type SignedKind, vendorCheck } from '../../../src/tools/proof/vendor-signature.ts'

/** A command as one would type it, without the options that every apt-get has. */
const typed = ({ file, args }: Command) =>
  [file, ...args].join(' ').replace(/ -q -y(?: -o \S+)+(?= (?:install|update))/, '')
const plan = (attempts: Attempt[]) => attempts.map(({ commands }) => commands.map(typed).join(' && '))

const POLICY = `postgresql-client-16:
  Installed: (none)
  Candidate: 16.14-0ubuntu0.24.04.1
  Version table:
     16.14-0ubuntu0.24.04.1 500
        500 http://archive.ubuntu.com/ubuntu noble-updates/main amd64 Packages
postgresql-client-14:
  Installed: (none)
  Candidate: (none)
  Version table:
postgresql-client-9:
  Candidate: 9.6
`

test('reads from apt-cache policy which majors there are', () => {
  assert.deepEqual(majorsInPolicy(POLICY), [16, 9])
  assert.deepEqual(majorsInPolicy(''), [])
})

const INSTALL = 'apt-get install --no-install-recommends'
const packaged = (major: number) => [
  `${INSTALL} postgresql-client-${major}`,
  `apt-get update && ${INSTALL} postgresql-client-${major}`,
]
const pgdg = (major: number) =>
  [
    `${INSTALL} ca-certificates`,
    'install -D -m 644 /f/key.asc /etc/apt/keyrings/pgclone-action-pgdg.asc',
    'install -D -m 644 /f/source.list /etc/apt/sources.list.d/pgclone-action-pgdg.list',
    'apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20' +
      ' update -o Dir::Etc::SourceList=/etc/apt/sources.list.d/pgclone-action-pgdg.list -o Dir::Etc::SourceParts=-' +
      ' -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any',
    `${INSTALL} postgresql-client-${major}`,
  ]
    .join(' && ')
    .replace(/ -q -y(?: -o \S+)+(?= update)/, '')

const APT: [string, { preferred: number[]; reserve: number[] }, number[], string[]][] = [
  [
    'Debian 12, server 13',
    { preferred: [16, 15, 14, 13], reserve: [17, 18] },
    [15],
    [...packaged(15), pgdg(16)],
  ],
  ['Debian 13, server 15', { preferred: [16, 15], reserve: [17, 18] }, [17], [pgdg(16), ...packaged(17)]],
  ['Ubuntu 24.04, server 17', { preferred: [17, 18, 19], reserve: [] }, [16], [pgdg(17)]],
  [
    'with the repository set up',
    { preferred: [17, 18, 19], reserve: [] },
    [16, 17, 18],
    [...packaged(17), pgdg(17)],
  ],
]

for (const [name, majors, available, expected] of APT) {
  test(`apt: ${name}`, () => assert.deepEqual(plan(aptAttempts(majors, available, '/f')), expected))
}

test('the repository is signed by its own key, and gone afterwards', () => {
  const source =
    'deb [signed-by=/etc/apt/keyrings/pgclone-action-pgdg.asc] https://apt.postgresql.org/pub/repos/apt noble-pgdg main\n'
  assert.equal(pgdgSource('noble', null), source)
  assert.equal(
    pgdgSource('noble', 'https://mirror.example/tools'),
    source.replace('https://apt', 'https://mirror.example/tools/apt'),
  )
  const [attempt] = aptAttempts({ preferred: [17], reserve: [] }, [], '/f')
  assert.deepEqual(attempt?.cleanup?.map(typed), [
    'rm -f /etc/apt/sources.list.d/pgclone-action-pgdg.list /etc/apt/keyrings/pgclone-action-pgdg.asc',
  ])
})

test('other systems name the major in the package', () => {
  const majors = { preferred: [16], reserve: [17] }
  assert.deepEqual(plan(namedAttempts('apk', majors)), [
    'apk add --no-cache --wait 120 postgresql16-client',
    'apk add --no-cache --wait 120 postgresql17-client',
  ])
  assert.deepEqual(plan(namedAttempts('brew', majors)), [
    'brew install --quiet postgresql@16',
    'brew install --quiet postgresql@17',
  ])
  assert.deepEqual(namedAttempts('none', majors), [])
})

test('dnf: a package of the distribution, or its module', () => {
  const attempts = namedAttempts('dnf', { preferred: [16], reserve: [17] })
  assert.deepEqual(plan(attempts), [
    'dnf -y -q install postgresql16',
    'dnf -y -q module install postgresql:16/client',
    'dnf -y -q install postgresql17',
    'dnf -y -q module install postgresql:17/client',
  ])
  for (const { commands } of attempts) assert.ok(commands.every(({ asRoot }) => asRoot))
})

test('packages of the AWS CLI', () => {
  assert.deepEqual(plan(awsPackageAttempts('apt')), [
    `${INSTALL} awscli`,
    `apt-get update && ${INSTALL} awscli`,
  ])
  assert.deepEqual(plan(awsPackageAttempts('apk')), ['apk add --no-cache --wait 120 aws-cli'])
  assert.equal(plan(awsPackageAttempts('dnf'))[0], 'dnf -y -q install awscli2')
  assert.deepEqual(plan(awsPackageAttempts('brew')), ['brew install --quiet awscli'])
  assert.deepEqual(awsPackageAttempts('none'), [])
})

test('apt asks no questions and waits for its lock; Homebrew never runs as root', () => {
  const [apt] = awsPackageAttempts('apt')[0]!.commands
  assert.deepEqual(apt?.env, { DEBIAN_FRONTEND: 'noninteractive' })
  assert.ok(apt?.asRoot && apt.args.includes('DPkg::Lock::Timeout=120'))
  assert.equal(awsPackageAttempts('brew')[0]!.commands[0]!.asRoot, undefined)
})

test('sudo is used only where root is needed and missing, and never asks', () => {
  const command: Command = { file: 'apt-get', args: ['update'], asRoot: true, env: { DEBIAN_FRONTEND: 'x' } }
  assert.equal(withSudo(command, true), command)
  const plain = { ...command, asRoot: false }
  assert.equal(withSudo(plain, false), plain)
  const kept = '--preserve-env=http_proxy,https_proxy,no_proxy,DEBIAN_FRONTEND'
  assert.deepEqual(withSudo(command, false), {
    ...command,
    file: 'sudo',
    args: ['-n', kept, 'apt-get', 'update'],
  })
})

const BUNDLES: [NodeJS.Platform, string, string, string][] = [
  ['linux', 'x64', 'zip', 'https://awscli.amazonaws.com/awscli-exe-linux-x86_64-2.38.1.zip'],
  ['linux', 'arm64', 'zip', 'https://awscli.amazonaws.com/awscli-exe-linux-aarch64-2.38.1.zip'],
  ['darwin', 'arm64', 'pkg', 'https://awscli.amazonaws.com/AWSCLIV2-2.38.1.pkg'],
  ['win32', 'x64', 'msi', 'https://awscli.amazonaws.com/AWSCLIV2-2.38.1.msi'],
  ['win32', 'arm64', 'msi', 'https://awscli.amazonaws.com/AWSCLIV2-2.38.1.msi'],
]

for (const [platform, arch, kind, url] of BUNDLES) {
  test(`the bundle for ${platform} ${arch}`, () => {
    const bundle = awsBundle('2.38.1', { platform, arch })
    assert.deepEqual([bundle.kind, bundle.url], [kind, url])
  })
}

test('there is no bundle for other platforms', () => {
  assert.throws(
    () => awsBundle('2.38.1', { platform: 'linux', arch: 's390x' }),
    /no AWS CLI bundle for linux on s390x/,
  )
})

test('a mirror has every host below its own address', () => {
  const url = 'https://awscli.amazonaws.com/x.zip'
  assert.equal(mirrored(url, null), url)
  for (const mirror of ['http://mirror:8081/tools', 'http://mirror:8081/tools/']) {
    assert.equal(mirrored(url, mirror), 'http://mirror:8081/tools/awscli.amazonaws.com/x.zip')
  }
})

test('how an installer package is unpacked', () => {
  assert.equal(typed(unpackCommand('pkg', 'b', 'd')), 'pkgutil --expand-full b d')
  assert.equal(typed(unpackCommand('msi', 'b', 'd')), 'msiexec /a b /qn TARGETDIR=d')
})

/** What the platform answers about the signature of a file, and whether that is the vendor's. */
const ANSWERS: [SignedKind, string, boolean][] = [
  [
    'pkg',
    'Status: signed by a developer certificate issued by Apple for distribution\n 1. Developer ID Installer: AMZN Mobile LLC (94KV3E626L)',
    true,
  ],
  ['pkg', 'Status: no signature', false],
  ['pkg', 'Status: signed by a certificate that is not trusted\n 1. AMZN Mobile LLC (94KV3E626L)', false],
  [
    'msi',
    'Valid CN="Amazon Web Services, Inc.", OU=AWS, O="Amazon Web Services, Inc.", L=Seattle, S=Washington, C=US\r\n',
    true,
  ],
  ['msi', 'NotSigned ', false],
  ['msi', 'HashMismatch CN=x, O="Amazon Web Services, Inc.", L=Seattle', false],
  ['msi', 'Valid CN=Somebody, O=Somebody', false],
]

for (const [kind, answer, genuine] of ANSWERS) {
  test(`${kind}: ${genuine ? 'takes' : 'refuses'} ${answer.slice(0, 40).trim()}`, () => {
    assert.equal(vendorCheck(kind, 'f').expects.test(answer), genuine)
  })
}
