/**
 * `npm run s3-matrix`: runs the built action against every S3 server that is installed, over HTTP and TLS, and writes
 * docs/s3-compatibility.md. `--moto COMMAND` says how to start moto's server, `moto_server` by default.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { selfSignedCertificate } from '../lab/certificate.ts'
import { compareDatabases } from '../lab/postgres/compare.ts'
import { type Postgres, startPostgres } from '../lab/postgres/postgres.ts'
import { makeData } from '../lab/postgres/sample.ts'
import { type ActionRun, runAction } from '../lab/runner/action.ts'
import { startS3, toConfig } from '../lab/s3/s3.ts'
import { startS3rver } from '../lab/s3/s3rver.ts'
import { tempFolder } from '../lab/temp.ts'
import { PROVIDERS } from '../src/aws/s3-providers.ts'
import { findAwsClis } from '../src/tools/aws/aws-search.ts'
import { chooseAws } from '../src/tools/aws/aws-version.ts'
import { currentEnvironment } from '../src/tools/options.ts'
import { type Foreign, startMoto } from './s3-matrix/moto.ts'

const BUCKET = 'backups'
const run = promisify(execFile)
const page = new URL('../docs/s3-compatibility.md', import.meta.url)
const cli = chooseAws(await findAwsClis(currentEnvironment()))
if (!cli) throw new Error('There is no AWS CLI on this machine')

type Store = { name: string; tls: boolean; start: () => Promise<Foreign> }
type Result = { store: Store; cells: string[] }

const motoCommand = (() => {
  const at = process.argv.indexOf('--moto')
  return at < 0 ? ['moto_server'] : process.argv[at + 1]!.split(' ')
})()
const hasMoto = spawnSync(motoCommand[0]!, [...motoCommand.slice(1), '--help']).status === 0

/** Stores by independent authors, and our own, which answers as AWS does. */
function stores(): Store[] {
  const both = [false, true]
  const moto = both.map((tls) => ({ name: 'moto', tls, start: () => startMoto(motoCommand, tls) }))
  if (!hasMoto) console.log('moto_server is not installed (Debian 13: python3-moto): left out')
  return [
    ...both.map((tls) => ({ name: 's3rver', tls, start: () => startRver(tls) })),
    ...(hasMoto ? moto : []),
    ...both.map((tls) => ({
      name: 'our double of AWS',
      tls,
      start: () => startS3({ bucket: 'other', tls }),
    })),
  ]
}

async function startRver(tls: boolean): Promise<Foreign> {
  if (!tls) return startS3rver({ bucket: 'other' })
  const identity = selfSignedCertificate('127.0.0.1')
  const store = await startS3rver({ bucket: 'other', tls: identity })
  const bundle = join(tempFolder('ca').path, 'ca.pem')
  await writeFile(bundle, identity.cert)
  return {
    endpoint: store.endpoint,
    env: { ...store.env, AWS_CA_BUNDLE: bundle },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** Calls the AWS CLI itself. @returns what it says, or the code of its error */
async function aws({ endpoint, env }: Foreign, ...args: string[]): Promise<string> {
  const job = { PATH: process.env.PATH, AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required', ...env }
  // Not synchronous: some of the stores live in this process.
  return run(cli!.path, [...args, '--endpoint-url', endpoint], { env: job, timeout: 60_000 }).then(
    ({ stdout }) => stdout.trim(),
    (error: { stderr?: string }) => /\((\w+)\) when/.exec(error.stderr ?? '')?.[1] ?? 'error',
  )
}

/** A step of the built Action on a store. */
function stepOn(server: Foreign) {
  return (command: string, more: Record<string, string> = {}): Promise<ActionRun> =>
    runAction({
      command,
      instance: 'matrix',
      'install-tools': 'never',
      'storage-location': `s3://${BUCKET}/dumps/`,
      's3-endpoint-url': server.endpoint,
      's3-config': toConfig(server.env),
      ...more,
    })
}

async function tryStore(postgres: Postgres, store: Store): Promise<Result> {
  await using server = await store.start()
  await aws(server, 's3api', 'create-bucket', '--bucket', BUCKET)
  const step = stepOn(server)
  const source = { 'database-url': postgres.url('source') }
  const word = (run: ActionRun) => (run.exitCode === 0 ? 'yes' : `no: ${run.errors[0]}`)

  const first = await step('dump', source)
  const second = await step('dump', source)
  const target = { 'database-url': postgres.url('target'), 'dump-key': 'latest', overwrite: 'true' }
  const restored = await step('restore', target)
  const differences =
    restored.exitCode === 0 ? await compareDatabases(postgres, 'source', postgres, 'target') : []
  const pruned = await step('prune', { 'keep-last': '1' })
  const listed = await step('list')
  const left = JSON.parse(listed.outputs.dumps ?? '[]') as { key: string }[]
  const kept = left.length === 1 && left[0]!.key === second.outputs['dump-key']
  const supported = await step('dump', { ...source, 's3-checksum': 'when-supported' })
  const uploads = await aws(
    server,
    's3api',
    'list-multipart-uploads',
    '--bucket',
    BUCKET,
    '--query',
    'Uploads[].Key',
  )
  const missing = await step('list', { 'storage-location': 's3://nobody-has-this/' })
  const cells = [
    first.exitCode === 0 ? word(second) : word(first),
    differences.length === 0 ? word(restored) : `no: ${differences[0]}`,
    kept ? word(pruned) : `no: ${left.length} dumps are left`,
    await conditional(server),
    /^(null|None|\[\]|)$/.test(uploads) ? 'yes' : `no: ${uploads}`,
    supported.exitCode === 0 ? 'yes' : `refused: ${supported.errors[0]!.replace(/;.*/, '')}`,
    /bucket of storage-location does not exist/.test(missing.errors[0] ?? '') ? 'yes' : 'no',
  ]
  return { store, cells }
}

/** Whether the second writer of a key is turned away. */
async function conditional(server: Foreign): Promise<string> {
  const body = join(tempFolder('body').path, 'text')
  writeFileSync(body, 'text')
  const put = [
    's3api',
    'put-object',
    '--bucket',
    BUCKET,
    '--key',
    'once',
    '--body',
    body,
    '--if-none-match',
    '*',
  ]
  await aws(server, ...put)
  const answer = await aws(server, ...put)
  return answer === 'PreconditionFailed' ? 'yes' : answer === 'NotImplemented' ? 'not known' : 'ignored'
}

const COLUMNS = [
  'Dump (several parts)',
  'Restore, row for row',
  'Prune',
  'Conditional writes',
  'Uploads can be listed',
  'With `s3-checksum: when-supported`',
  'Missing bucket explained',
]

function write(results: readonly Result[]): void {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const rows = results.map(({ store, cells }) => line([store.name, store.tls ? 'TLS' : 'HTTP', ...cells]))
  const providers = PROVIDERS.map(({ name, host, region, maxParts }) =>
    line([
      name,
      `\`${host.source.replaceAll('\\', '')}\``,
      region ?? 'from the host name',
      String(maxParts ?? 10_000),
    ]),
  )
  const text = `# S3 compatibility

[← README](../README.md) · [all pages](README.md)

\`npm run s3-matrix\` writes this page. It runs the built action against every S3 server that is installed, here with
AWS CLI ${cli!.version} and PostgreSQL client ${execFileSync('pg_dump', ['--version'], { encoding: 'utf8' }).split(' ')[2]!}.

## What was tested

${line(['Store', 'Over', ...COLUMNS])}
${line(COLUMNS.concat('', '').map(() => '---'))}
${rows.join('\n')}

- **s3rver** (npm \`@20minutes/s3rver\`) and **moto** (Debian's \`python3-moto\`) are independent of this project. The test
  suite also has an S3 server of its own, which can inject faults.
- Names of dumps contain microseconds. If a store ignores conditional writes, two runs within the same microsecond could
  both write a manifest.
- Whatever the checksum setting, the stored size is compared afterwards, and a dump of another size is refused.
- No account at a provider was used: what follows is from their documentation.

## Known providers

They are recognised by \`s3-endpoint-url\` (or \`AWS_ENDPOINT_URL\` in \`s3-config\`). \`aws-region\`, \`AWS_REGION\` in
\`s3-config\`, \`s3-checksum\` and a lower \`s3-max-parts\` override the table. All get \`when-required\` checksums and
path-style addresses.

| Provider | Host | Region | Parts |
|---|---|---|---|
${providers.join('\n')}
| MinIO, Ceph, SeaweedFS and others | any other | the job's \`AWS_REGION\`, otherwise \`us-east-1\` | 10000 |

Providers that accept the bucket only in the host name, such as Alibaba Cloud OSS, are not supported: the AWS CLI needs
a setting in its configuration file for them.
`
  writeFileSync(page, text)
}

await using postgres = await startPostgres()
await makeData(postgres, 'source', 25)
const results: Result[] = []
for (const store of stores()) {
  console.log(`${store.name} over ${store.tls ? 'TLS' : 'HTTP'} …`)
  const result = await tryStore(postgres, store)
  console.log(`${store.name} over ${store.tls ? 'TLS' : 'HTTP'}: ${result.cells.join(' | ')}`)
  results.push(result)
  write(results)
}
