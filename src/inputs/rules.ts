import { addressesOf, type Connection } from '../database/connection/connection.ts'
import { poolerProblem } from '../database/connection/pooler.ts'
import { wrongPorts } from '../database/connection/url-parameters.ts'
import { mixesKinds } from '../encryption/recipients.ts'
import { isFullKey, referenceProblem } from '../storage/keys.ts'
import { hasRules } from '../storage/retention.ts'
import type { Inputs } from './inputs.ts'
import { isPlainHttp } from './location.ts'

type Rule = (inputs: Inputs) => string | false

const COMMANDS_WITHOUT_DATABASE: readonly string[] = ['prune']

/** The commands that connect to `database-url`. */
export function needsDatabase({ command, local }: Pick<Inputs, 'command' | 'local'>): boolean {
  return command === 'list' ? local : !COMMANDS_WITHOUT_DATABASE.includes(command)
}

/** Whether a connection has no password, so that one from IAM can be used. */
export function lacksPassword({ variables }: Connection): boolean {
  return !variables.PGPASSWORD
}

const COMMANDS_THAT_MASK: readonly string[] = ['dump', 'copy']
const COMMANDS_THAT_REQUIRE_MASKS: readonly string[] = ['restore', 'copy']
const COMMANDS_THAT_PRUNE: readonly string[] = ['prune', 'dump']
const COMMANDS_THAT_CHECK_AGE: readonly string[] = ['restore', 'verify', 'list', 'diff']
const COMMANDS_THAT_MAKE_A_DATABASE: readonly string[] = ['restore', 'copy']
const COMMANDS_WITH_SOURCE: readonly string[] = ['copy', 'diff']
const COMMANDS_THAT_READ_A_DUMP: readonly string[] = ['restore', 'verify']

/**
 * The rules about masks. An input of a set may be of use only to other steps with the same set, but one that the step
 * itself gives and that has no effect would be taken for protection.
 */
const MASK_RULES: readonly Rule[] = [
  ({ command, mask, namedSet }) =>
    mask !== '' &&
    namedSet?.inputs.mask === undefined &&
    !COMMANDS_THAT_MASK.includes(command) &&
    `mask has no effect with command: ${command}, because only dump and copy mask; remove it, or set require-masked: true with command: restore to accept only masked dumps`,
  ({ command, requireMasked, namedSet }) =>
    requireMasked &&
    namedSet?.inputs['require-masked'] === undefined &&
    !COMMANDS_THAT_REQUIRE_MASKS.includes(command) &&
    `require-masked has no effect with command: ${command}; remove it, or use it with restore and copy`,
  ({ mask, maskKey }) =>
    mask === '' &&
    maskKey !== '' &&
    'mask-key needs mask, the file that says what is masked; nothing would be masked without it',
  ({ mask, largeObjects }) =>
    mask === '' &&
    largeObjects !== null &&
    'large-objects needs mask; without it, all large objects are dumped, or none with pg-dump-args: -B',
  ({ command, mask, requireMasked }) =>
    command === 'copy' &&
    requireMasked &&
    mask === '' &&
    'require-masked: true refuses this copy, because nothing would be masked without mask; set mask, or remove require-masked',
  ({ command, dumpKey, requireMasked }) =>
    command === 'restore' &&
    requireMasked &&
    dumpKey.startsWith(':') &&
    `require-masked: true refuses dump-key: ${dumpKey}, a database of the server, because only the manifest of a stored dump shows that it was masked; name a stored dump, or remove require-masked`,
  ({ mask, leakScan }) => mask === '' && !leakScan && 'leak-scan needs mask; without it, nothing is searched',
]

/** What inputs require of each other. Each rule returns false or a sentence that begins with the input to change. */
const RULES: readonly Rule[] = [
  ...MASK_RULES,
  (inputs) =>
    needsDatabase(inputs) &&
    !inputs.connection &&
    inputs.connectionFrom === 'environment' &&
    'database-url is missing (and there is no PGDATABASE or PGUSER in the environment)',
  (inputs) => {
    if (!needsDatabase(inputs) || inputs.connectionFrom !== 'environment') return false
    const [wrong] = wrongPorts(inputs.connection?.variables.PGPORT ?? '')
    return (
      wrong !== undefined &&
      `database-url is not set, and PGPORT of the job is ${JSON.stringify(wrong)}, not a number from 1 to 65535`
    )
  },
  (inputs) => {
    const { command, connection } = inputs
    const problem = needsDatabase(inputs) && command !== 'list' && connection && poolerProblem(connection)
    return problem ? `database-url ${problem}` : false
  },
  ({ command, sourceConnection }) => {
    const problem =
      COMMANDS_WITH_SOURCE.includes(command) && sourceConnection && poolerProblem(sourceConnection)
    return problem ? `source-database-url ${problem}` : false
  },
  (inputs) =>
    inputs.tunnelCommand !== '' &&
    needsDatabase(inputs) &&
    inputs.connection !== null &&
    addressesOf(inputs.connection).length === 0 &&
    'tunnel-command needs a host in database-url, such as 127.0.0.1, and the port that the tunnel opens there',
  ({ command, sourceConnection }) =>
    command === 'copy' && !sourceConnection && 'source-database-url is missing; copy reads from it',
  ({ command, sourceConnection, dumpKey }) =>
    command === 'diff' &&
    (sourceConnection === null) === (dumpKey === '') &&
    (dumpKey === ''
      ? 'dump-key (or source-database-url) is missing; diff compares database-url with a dump or with another database'
      : 'dump-key and source-database-url are both set; diff compares database-url with one of them'),
  ({ command, dumpKey }) =>
    COMMANDS_THAT_READ_A_DUMP.includes(command) &&
    dumpKey === '' &&
    'dump-key is missing; set it to a full key, the leading parts of a key, or latest',
  ({ dumpKey }) => {
    const problem = dumpKey === '' || dumpKey.startsWith(':') ? null : referenceProblem(dumpKey)
    return problem !== null && `dump-key ${problem}`
  },
  ({ dumpKey, command }) =>
    dumpKey.startsWith(':') &&
    command !== 'restore' &&
    'dump-key names a database of the server, which only restore can read',
  ({ dumpKey, templateCache }) =>
    dumpKey.startsWith(':') &&
    templateCache > 0 &&
    'template-cache cannot be used with a database of the server as dump-key; remove one of them',
  ({ command, keep }) =>
    command === 'prune' &&
    !hasRules(keep) &&
    'keep-last (or keep-within, -hourly, -daily, -weekly, -monthly, -yearly) is missing; prune needs at least one rule that says which dumps to keep',
  ({ command, dumpKey }) =>
    command === 'prune' &&
    isFullKey(dumpKey) &&
    'dump-key names a single dump; for prune, set it to the leading parts of keys, or remove it',
  ({ s3SseKmsKeyId, s3Sse }) =>
    s3SseKmsKeyId !== '' && !s3Sse.startsWith('aws:kms') && 's3-sse-kms-key-id needs s3-sse: aws:kms',
  ({ awsRole, s3Config, rdsIamAuth }) =>
    awsRole !== '' &&
    s3Config.AWS_ACCESS_KEY_ID !== undefined &&
    !rdsIamAuth &&
    'aws-role-to-assume and AWS_ACCESS_KEY_ID in s3-config are both set; remove one of them',
  (inputs) =>
    inputs.rdsIamAuth &&
    needsDatabase(inputs) &&
    ![inputs.connection, inputs.sourceConnection].some((one) => one && lacksPassword(one)) &&
    'rds-iam-auth is true, but every database URL of this step already has a password; remove the password from the URL',
  ({ command, databases, olderThan, closedPullRequests }) =>
    command === 'drop' &&
    databases.length === 0 &&
    (olderThan !== null || closedPullRequests) &&
    'databases is missing; older-than and closed-pull-requests choose among the databases that it names, such as preview_*',
  ({ databases, closedPullRequests }) => {
    const wrong = databases.find((pattern) => pattern.split('*').length !== 2)
    return (
      closedPullRequests &&
      wrong !== undefined &&
      `databases has the pattern ${JSON.stringify(wrong)}, which needs exactly one * with closed-pull-requests: true, because what it matches is the number of the pull request`
    )
  },
  ({ command, createRoles, dumpKey }) =>
    createRoles &&
    command === 'restore' &&
    dumpKey.startsWith(':') &&
    'create-roles cannot be used with a database of the server as dump-key, whose roles are there; remove one of them',
  ({ expiresAfter, disposable }) =>
    expiresAfter !== null &&
    !disposable &&
    'expires-after requires disposable: true; a database without a mark is never dropped by a sweep',
  (inputs) => {
    const { command, dumpKey, reversible, templateCache, tolerateErrors, verifySql } = inputs
    if (inputs.swap) return false
    if (command === 'copy') return 'swap must be true with command: copy'
    if (dumpKey.startsWith(':')) return 'dump-key names a database of the server, which requires swap: true'
    if (reversible) return 'reversible requires swap: true; a restore in place does not keep the old database'
    if (!inputs.disposable)
      return 'disposable: false requires swap: true; a restore in place leaves the mark of the database as it is'
    if (inputs.expiresAfter !== null)
      return 'expires-after requires swap: true; a restore in place leaves the mark of the database as it is'
    if (templateCache > 0) return 'template-cache requires swap: true; a copy of the template is swapped in'
    if (tolerateErrors.length > 0)
      return 'tolerate-errors requires swap: true; a restore in place is one transaction, which ends at its first error'
    return (
      verifySql.length > 0 &&
      'verify-sql requires swap: true; a restore in place is live as soon as it is committed'
    )
  },
]

/** Returns one sentence for each rule that the inputs break. */
export function crossInputProblems(inputs: Inputs): string[] {
  return RULES.map((rule) => rule(inputs)).filter((problem) => problem !== false)
}

/** Returns what the user should know about inputs that are right. */
export function inputNotices(inputs: Inputs): string[] {
  if (!needsDatabase(inputs)) return []
  const urls = [
    ['database-url', inputs.connection],
    ...(COMMANDS_WITH_SOURCE.includes(inputs.command)
      ? [['source-database-url', inputs.sourceConnection] as const]
      : []),
  ] as const
  const left = urls.flatMap(([name, url]) => (url?.leftOut ? [`${url.leftOut.join(', ')} (${name})`] : []))
  if (left.length === 0) return []
  return [
    `Parameters that only tune a framework were left out: ${left.join('; ')}. The inputs schemas and tables choose what is dumped`,
  ]
}

/** Returns a warning for each combination of inputs that is allowed but probably a mistake. */
export function inputWarnings(inputs: Inputs): string[] {
  const { s3EndpointUrl, location, s3StorageClass, s3Sse, command, connectionFrom } = inputs
  const warnings: string[] = []
  if (s3EndpointUrl && isPlainHttp(s3EndpointUrl)) {
    warnings.push('s3-endpoint-url is plain http: dumps and credentials are sent unencrypted; use https')
  }
  if (location.kind === 'folder' && (s3EndpointUrl || s3StorageClass || s3Sse)) {
    warnings.push('the s3-… inputs have no effect, because storage-location is a folder')
  }
  if (inputs.awsRole !== '' && location.kind === 'folder' && !inputs.rdsIamAuth) {
    warnings.push('aws-role-to-assume has no effect, because storage-location is a folder')
  }
  if (inputs.awsRole === '' && inputs.awsRoleDuration !== null) {
    warnings.push('aws-role-duration has no effect without aws-role-to-assume')
  }
  if (!COMMANDS_THAT_PRUNE.includes(command) && hasRules(inputs.keep)) {
    warnings.push(`the keep-… inputs have no effect with command: ${command}`)
  }
  if (!COMMANDS_THAT_CHECK_AGE.includes(command) && inputs.maxAge !== null) {
    warnings.push(`max-age has no effect with command: ${command}`)
  }
  if (command !== 'dump' && inputs.globals) warnings.push(`globals has no effect with command: ${command}`)
  if (command !== 'restore' && inputs.createRoles) {
    warnings.push(`create-roles has no effect with command: ${command}`)
  }
  if (command !== 'drop' && inputs.databases.length > 0) {
    warnings.push(`databases has no effect with command: ${command}`)
  }
  if (!COMMANDS_THAT_MAKE_A_DATABASE.includes(command) && inputs.expiresAfter !== null) {
    warnings.push(`expires-after has no effect with command: ${command}`)
  }
  if (command !== 'verify' && inputs.maxRestoreTime !== null) {
    warnings.push(`max-restore-time has no effect with command: ${command}`)
  }
  warnings.push(...encryptionWarnings(inputs))
  if (inputs.tunnelCommand !== '' && !needsDatabase(inputs)) {
    warnings.push(`tunnel-command has no effect with command: ${command}`)
  }
  if (command === 'dump' && inputs.dryRun && inputs.mask === '') {
    warnings.push('dry-run has no effect on the dump itself, only on its keep rules')
  }
  if (command === 'dump' && inputs.dumpKey !== '') warnings.push('dump-key has no effect with command: dump')
  if (needsDatabase(inputs) && connectionFrom === 'environment') {
    warnings.push('database-url is not set; the PG* variables of the job determine the connection')
  }
  return warnings
}

function encryptionWarnings({ command, encryptTo, ageIdentity }: Inputs): string[] {
  const warnings: string[] = []
  if (encryptTo.length > 0 && command !== 'dump') {
    warnings.push(`encrypt-to has no effect with command: ${command}`)
  }
  if (mixesKinds(encryptTo)) {
    warnings.push(
      'encrypt-to mixes post-quantum recipients (age1pq1…) and others, so the dump is only as strong as the others; use one kind',
    )
  }
  if (ageIdentity.length > 0 && !COMMANDS_THAT_READ_A_DUMP.includes(command)) {
    warnings.push(`age-identity has no effect with command: ${command}; do not give this job the secret key`)
  }
  return warnings
}
