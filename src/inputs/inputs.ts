import { availableParallelism } from 'node:os'
import { ambientConnection, type Connection, isDistant } from '../database/connection/connection.ts'
import { parseDatabaseUrl } from '../database/connection/database-url.ts'
import { PROVIDER_NAMES } from '../database/restore/managed-services.ts'
import { checkSqlFiles } from '../database/sql-file.ts'
import type { Environment } from '../process/environment.ts'
import { type KeepRules, PERIODS, type Period } from '../storage/retention.ts'
import type { AwsRelease } from '../tools/aws/provide-aws-cli.ts'
import { parseRegion, parseRole, parseRoleDuration, parseSessionName } from './aws-inputs.ts'
import type { NamedSet } from './config-file.ts'
import { readEncryption } from './encryption-inputs.ts'
import { parseCalendarSpan, parseKeepCount, parseShare } from './keep-rules.ts'
import { type Location, parseEndpoint, parseLocation, parseS3Config } from './location.ts'
import { type MaskInputs, readMasking } from './mask-inputs.ts'
import { readOverwrite } from './overwrite.ts'
import {
  type Compression,
  parseArguments,
  parseChoice,
  parseCompression,
  parseDuration,
  parseExpressions,
  parseInteger,
  parseList,
  parseServerDuration,
  parseWord,
} from './parse.ts'
import { parsePingUrl } from './ping-url.ts'
import { type PreviewInputs, readPreviews } from './preview-inputs.ts'
import type { Reader } from './reader.ts'
import { parseAwsRelease, parseMirror } from './tool-inputs.ts'

export const COMMANDS = ['dump', 'restore', 'list', 'verify', 'copy', 'drop', 'prune', 'diff'] as const
const COPY_METHODS = ['auto', 'stream', 'template'] as const
const INSTALL_MODES = ['auto', 'never'] as const
const PROVIDERS = ['auto', 'none', ...PROVIDER_NAMES] as const
const CHECKSUM_MODES = ['auto', 'when-supported', 'when-required'] as const
export type Command = (typeof COMMANDS)[number]

/** Every input of the step, parsed and checked. `null` and empty mean "not given". */
export type Inputs = MaskInputs & OtherInputs

type OtherInputs = Readonly<{
  command: Command
  connection: Connection | null
  /** The source of `copy`. */
  sourceConnection: Connection | null
  connectionFrom: 'database-url' | 'environment'
  maintenanceDatabase: string
  location: Location
  s3Config: Readonly<Record<string, string>>
  s3EndpointUrl: string | null
  s3Checksum: (typeof CHECKSUM_MODES)[number]
  s3StorageClass: string
  s3Sse: string
  s3SseKmsKeyId: string
  s3MaxParts: number
  /** If it is empty, `s3-config`, the endpoint or the job decides. */
  awsRegion: string
  /** ARN of the role that the step assumes with the job's OIDC token, or empty. */
  awsRole: string
  awsRoleSessionName: string
  /** Seconds; null is the default of AWS. */
  awsRoleDuration: number | null
  /** Whether the database password is an IAM token of RDS. */
  rdsIamAuth: boolean
  instance: string
  config: string
  /** The set of `config-file` that provides the inputs that the step does not set. */
  namedSet: NamedSet | null
  dumpKey: string
  tables: readonly string[]
  excludeTables: readonly string[]
  schemas: readonly string[]
  excludeSchemas: readonly string[]
  excludeTableData: readonly string[]
  schemaOnly: boolean
  /** Whether the roles of the server are stored with a dump. */
  globals: boolean
  /** Whether filters may leave out what the rest of the dump needs. */
  allowUnrestorable: boolean
  pgDumpArgs: readonly string[]
  pgRestoreArgs: readonly string[]
  /** The recipients of age that a dump is encrypted to; empty if it is not encrypted. */
  encryptTo: readonly string[]
  /** The secret keys of age that open encrypted dumps. */
  ageIdentity: readonly string[]
  jobs: number
  compression: Compression
  preDumpHooks: readonly string[]
  preSwapHooks: readonly string[]
  reversible: boolean
  swap: boolean
  ownerAndAcl: boolean
  createRoles: boolean
  tolerateErrors: readonly RegExp[]
  /** The managed provider whose rules apply to the restore. */
  provider: (typeof PROVIDERS)[number]
  verifySql: readonly string[]
  keep: KeepRules
  dryRun: boolean
  /** Milliseconds; null accepts any age. */
  maxAge: number | null
  /** Milliseconds; null accepts any duration. */
  maxRestoreTime: number | null
  /** A share from 0 to 1. */
  maxShrink: number
  failOnShrink: boolean
  failOnDiff: boolean
  protectedDatabases: readonly string[]
  overwrite: boolean
  /** Patterns of what a restore in place may take away although the dump does not have it. */
  overwriteNamed: readonly string[]
  /** Whether a new database gets the marker by which later steps may replace and drop it. */
  disposable: boolean
  force: boolean
  local: boolean
  copyMethod: (typeof COPY_METHODS)[number]
  disconnectSource: boolean
  /** Number of template databases to keep; 0 creates none. */
  templateCache: number
  /** Milliseconds. */
  idleTimeout: number
  /** Milliseconds. */
  lockWaitTimeout: number
  /** Attempts after the first. */
  retries: number
  /** Empty if there is no tunnel. */
  tunnelCommand: string
  postgresVersion: number | 'auto'
  installTools: 'auto' | 'never'
  /** The release to install if there is no AWS CLI. */
  awsCli: AwsRelease
  /** The mirror to download from. */
  downloadBaseUrl: string | null
  /** The monitor that is told how the step goes; a secret. */
  pingUrl: string | null
  summary: boolean
}> &
  PreviewInputs

/** Reads every input. Mistakes are collected in `reader.problems`, and the value of such an input is a placeholder. */
export function readFields(reader: Reader, environment: Environment, namedSet: NamedSet | null): Inputs {
  const location = reader.read('storage-location', parseLocation, null)
  const database = readDatabase(reader, environment)
  const jobs = (text: string) => parseJobs(text, [database.connection, database.sourceConnection])
  return {
    ...database,
    ...readStorage(reader, location),
    ...readAws(reader),
    ...readContents(reader),
    ...readMasking(reader),
    ...readEncryption(reader, environment),
    ...readBehaviour(reader),
    jobs: reader.read('jobs', jobs, 1),
    ...readRetention(reader),
    ...readPreviews(reader),
    command: reader.read('command', (text) => parseChoice(text, COMMANDS), 'dump' as const),
    location: location ?? { kind: 'folder', path: '' },
    instance: reader.text('instance'),
    config: reader.text('config'),
    namedSet,
    dumpKey: reader.text('dump-key'),
  }
}

function readDatabase(reader: Reader, environment: Environment) {
  const given = reader.text('database-url') !== ''
  return {
    connection: given ? reader.read('database-url', parseDatabaseUrl, null) : ambientConnection(environment),
    connectionFrom: given ? ('database-url' as const) : ('environment' as const),
    sourceConnection: reader.read('source-database-url', parseDatabaseUrl, null),
    maintenanceDatabase: reader.text('maintenance-database'),
  }
}

function readStorage(reader: Reader, location: Location | null) {
  return {
    s3Config: reader.read('s3-config', parseS3Config, {}),
    s3EndpointUrl: reader.read('s3-endpoint-url', (text) => parseEndpoint(text, location), null),
    s3Checksum: reader.read('s3-checksum', (text) => parseChoice(text, CHECKSUM_MODES), 'auto' as const),
    s3StorageClass: reader.read('s3-storage-class', (text) => parseWord(text), ''),
    s3Sse: reader.read('s3-sse', (text) => parseChoice(text, ['AES256', 'aws:kms', 'aws:kms:dsse']), ''),
    s3SseKmsKeyId: reader.read('s3-sse-kms-key-id', (text) => parseWord(text), ''),
    s3MaxParts: reader.read('s3-max-parts', (text) => parseInteger(text, { min: 1, max: 10_000 }), 10_000),
  } as const
}

function readAws(reader: Reader) {
  return {
    awsRegion: reader.read('aws-region', parseRegion, ''),
    awsRole: reader.read('aws-role-to-assume', parseRole, ''),
    awsRoleSessionName: reader.read('aws-role-session-name', parseSessionName, 'pgclone-action'),
    awsRoleDuration: reader.read('aws-role-duration', parseRoleDuration, null),
    rdsIamAuth: reader.boolean('rds-iam-auth'),
  }
}

function readContents(reader: Reader) {
  return {
    tables: reader.list('tables'),
    excludeTables: reader.list('exclude-tables'),
    schemas: reader.list('schemas'),
    excludeSchemas: reader.list('exclude-schemas'),
    excludeTableData: reader.list('exclude-table-data'),
    schemaOnly: reader.boolean('schema-only'),
    globals: reader.boolean('globals'),
    allowUnrestorable: reader.boolean('allow-unrestorable'),
    pgDumpArgs: reader.read('pg-dump-args', (text) => parseArguments(text, 'pg_dump'), []),
    pgRestoreArgs: reader.read('pg-restore-args', (text) => parseArguments(text, 'pg_restore'), []),
  }
}

function readRetention(reader: Reader) {
  const counts = PERIODS.map((period) => [period, reader.read(`keep-${period}`, parseKeepCount, 0)])
  return {
    keep: {
      counts: Object.fromEntries(counts) as Record<Period, number>,
      within: reader.read('keep-within', parseCalendarSpan, null),
    },
    dryRun: reader.boolean('dry-run'),
    maxAge: reader.read('max-age', parseDuration, null),
    maxRestoreTime: reader.read('max-restore-time', parseDuration, null),
    maxShrink: reader.read('max-shrink', parseShare, 1),
    failOnShrink: reader.boolean('fail-on-shrink'),
    failOnDiff: reader.boolean('fail-on-diff'),
  }
}

/** Jobs that wait for a network and for another machine, more than they use this one. */
const JOBS_WITH_DISTANT_SERVER = 4

/** Reads a number of jobs; `auto` is the number of cores of the runner, and no less than four if a server is elsewhere. */
function parseJobs(text: string, connections: readonly (Connection | null)[]): number {
  if (text !== 'auto') return parseInteger(text, { min: 1, max: 64 })
  const distant = connections.some((connection) => connection !== null && isDistant(connection))
  return Math.max(availableParallelism(), distant ? JOBS_WITH_DISTANT_SERVER : 1)
}

function readSqlFiles(reader: Reader, name: 'pre-dump-hooks' | 'pre-swap-hooks' | 'verify-sql'): string[] {
  return reader.read(name, (text) => checkSqlFiles(parseList(text)), [])
}

function readBehaviour(reader: Reader) {
  const version = (text: string) =>
    text === 'auto' ? ('auto' as const) : parseInteger(text, { min: 10, max: 99 })
  return {
    compression: reader.read('compression', parseCompression, { method: 'auto', level: null } as const),
    preDumpHooks: readSqlFiles(reader, 'pre-dump-hooks'),
    preSwapHooks: readSqlFiles(reader, 'pre-swap-hooks'),
    reversible: reader.boolean('reversible'),
    swap: reader.boolean('swap'),
    ownerAndAcl: reader.boolean('owner-and-acl'),
    createRoles: reader.boolean('create-roles'),
    tolerateErrors: reader.read('tolerate-errors', parseExpressions, []),
    provider: reader.read('provider', (text) => parseChoice(text, PROVIDERS), 'auto' as const),
    verifySql: readSqlFiles(reader, 'verify-sql'),
    protectedDatabases: reader.list('protected-databases'),
    ...readOverwrite(reader),
    disposable: reader.boolean('disposable'),
    force: reader.boolean('force'),
    local: reader.boolean('local'),
    copyMethod: reader.read('copy-method', (text) => parseChoice(text, COPY_METHODS), 'auto' as const),
    disconnectSource: reader.boolean('disconnect-source'),
    templateCache: reader.read('template-cache', (text) => parseInteger(text, { min: 0, max: 100 }), 0),
    idleTimeout: reader.read('idle-timeout', parseDuration, 0),
    lockWaitTimeout: reader.read('lock-wait-timeout', parseServerDuration, 0),
    retries: reader.read('retries', (text) => parseInteger(text, { min: 0, max: 10 }), 0),
    tunnelCommand: reader.text('tunnel-command'),
    postgresVersion: reader.read('postgres-version', version, 'auto' as const),
    installTools: reader.read('install-tools', (text) => parseChoice(text, INSTALL_MODES), 'auto' as const),
    awsCli: reader.read('aws-cli-version', parseAwsRelease, { version: '', sha256: null }),
    downloadBaseUrl: reader.read('download-base-url', parseMirror, null),
    pingUrl: reader.read('ping-url', parsePingUrl, null),
    summary: reader.boolean('summary'),
  }
}
