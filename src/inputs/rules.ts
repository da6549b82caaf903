import { addressesOf, type Connection } from '../database/connection/connection.ts'
import { poolerProblem } from '../database/connection/pooler.ts'
import { isFullKey, referenceProblem } from '../storage/keys.ts'
import { hasRules } from '../storage/retention.ts'
import type { Inputs } from './inputs.ts'
import { isPlainHttp } from './location.ts'

type Rule = (inputs: Inputs) => string | false

const WITHOUT_DATABASE: readonly string[] = ['prune']

/** The commands that connect to `database-url`. */
export function needsDatabase({ command, local }: Pick<Inputs, 'command' | 'local'>): boolean {
  return command === 'list' ? local : !WITHOUT_DATABASE.includes(command)
}

/** Whether a connection waits for a password from IAM. */
export function lacksPassword({ variables }: Connection): boolean {
  return !variables.PGPASSWORD
}

const PRUNES: readonly string[] = ['prune', 'dump']
const TELLS_AGE: readonly string[] = ['restore', 'verify', 'list']

const READS_A_DUMP = ['restore', 'verify']

/** What one input demands of another. Each rule answers with a sentence that begins with the input to change. */
const RULES: readonly Rule[] = [
  (inputs) =>
    needsDatabase(inputs) &&
    !inputs.connection &&
    inputs.connectionFrom === 'environment' &&
    'database-url is missing (and there is no PGDATABASE or PGUSER in the environment)',
  (inputs) => {
    const { command, connection } = inputs
    const problem = needsDatabase(inputs) && command !== 'list' && connection && poolerProblem(connection)
    return problem ? `database-url ${problem}` : false
  },
  ({ command, sourceConnection }) => {
    const problem = command === 'copy' && sourceConnection && poolerProblem(sourceConnection)
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
  ({ command, dumpKey }) =>
    READS_A_DUMP.includes(command) &&
    dumpKey === '' &&
    'dump-key is missing; give a full key, its leading parts, or latest',
  ({ dumpKey }) => {
    const problem = dumpKey === '' || dumpKey.startsWith(':') ? null : referenceProblem(dumpKey)
    return problem !== null && `dump-key ${problem}`
  },
  ({ dumpKey, command }) =>
    dumpKey.startsWith(':') &&
    command !== 'restore' &&
    'dump-key names a database of the server, which only restore can take',
  ({ dumpKey, templateCache }) =>
    dumpKey.startsWith(':') &&
    templateCache > 0 &&
    'template-cache has no use for a database of the server as dump-key',
  ({ command, keep }) =>
    command === 'prune' &&
    !hasRules(keep) &&
    'keep-last (or keep-within, -hourly, -daily, -weekly, -monthly, -yearly) is missing; prune needs a rule for what stays',
  ({ command, dumpKey }) =>
    command === 'prune' &&
    isFullKey(dumpKey) &&
    'dump-key names one dump; prune takes the leading parts of keys, or none',
  ({ s3SseKmsKeyId, s3Sse }) =>
    s3SseKmsKeyId !== '' && !s3Sse.startsWith('aws:kms') && 's3-sse-kms-key-id needs s3-sse: aws:kms',
  ({ awsRole, s3Config, rdsIamAuth }) =>
    awsRole !== '' &&
    s3Config.AWS_ACCESS_KEY_ID !== undefined &&
    !rdsIamAuth &&
    'aws-role-to-assume and AWS_ACCESS_KEY_ID in s3-config say both who we are; give one of them',
  (inputs) =>
    inputs.rdsIamAuth &&
    needsDatabase(inputs) &&
    ![inputs.connection, inputs.sourceConnection].some((one) => one && lacksPassword(one)) &&
    'rds-iam-auth makes the password, and every database URL of this step has one; remove it there',
  (inputs) => {
    const { command, dumpKey, reversible, templateCache, tolerateErrors, verifySql } = inputs
    if (inputs.swap) return false
    if (command === 'copy') return 'swap must be true with copy'
    if (dumpKey.startsWith(':')) return 'dump-key names a database of the server, which needs swap: true'
    if (reversible) return 'reversible needs swap: true; a restore in place keeps no old database'
    if (templateCache > 0) return 'template-cache needs swap: true; a template is copied and swapped in'
    if (tolerateErrors.length > 0)
      return 'tolerate-errors needs swap: true; one transaction ends at its first error'
    return (
      verifySql.length > 0 &&
      'verify-sql needs swap: true; in place there is nothing between the restore and going live'
    )
  },
]

/** @returns one sentence for every rule that the inputs break */
export function crossInputProblems(inputs: Inputs): string[] {
  return RULES.map((rule) => rule(inputs)).filter((problem) => problem !== false)
}

/** What is allowed and probably not meant. */
export function inputWarnings(inputs: Inputs): string[] {
  const { s3EndpointUrl, location, s3StorageClass, s3Sse, command, connectionFrom } = inputs
  const warnings: string[] = []
  if (s3EndpointUrl && isPlainHttp(s3EndpointUrl)) {
    warnings.push('s3-endpoint-url is plain http: dumps and credentials travel unencrypted')
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
  if (!PRUNES.includes(command) && hasRules(inputs.keep)) {
    warnings.push(`the keep-… inputs have no effect with command: ${command}`)
  }
  if (!TELLS_AGE.includes(command) && inputs.maxAge !== null) {
    warnings.push(`max-age has no effect with command: ${command}`)
  }
  if (inputs.tunnelCommand !== '' && !needsDatabase(inputs)) {
    warnings.push(`tunnel-command has no effect with command: ${command}`)
  }
  if (command === 'dump' && inputs.dryRun) {
    warnings.push('dry-run has no effect on the dump itself, only on its keep rules')
  }
  if (command === 'dump' && inputs.dumpKey !== '') warnings.push('dump-key has no effect with command: dump')
  if (needsDatabase(inputs) && connectionFrom === 'environment') {
    warnings.push("database-url is not given; the job's own PG* variables decide where to connect")
  }
  return warnings
}
