import { referenceProblem } from '../storage/keys.ts'
import type { Inputs } from './inputs.ts'
import { isPlainHttp } from './storage.ts'

type Rule = (inputs: Inputs) => string | false

/** What one input demands of another. Each rule answers with a sentence that begins with the input to change. */
const RULES: readonly Rule[] = [
  ({ command, connection, connectionFrom }) =>
    command !== 'list' &&
    !connection &&
    connectionFrom === 'environment' &&
    `database-url is missing (and there is no PGDATABASE or PGUSER in the environment)`,
  ({ command, dumpKey }) =>
    command === 'restore' &&
    dumpKey === '' &&
    'dump-key is missing; give a full key, its leading parts, or latest',
  ({ dumpKey }) =>
    dumpKey !== '' && ((problem) => problem !== null && `dump-key ${problem}`)(referenceProblem(dumpKey)),
  ({ dumpKey }) =>
    dumpKey.startsWith(':') &&
    'dump-key names a database of the server, which this release does not restore from',
  ({ s3SseKmsKeyId, s3Sse }) =>
    s3SseKmsKeyId !== '' && !s3Sse.startsWith('aws:kms') && 's3-sse-kms-key-id needs s3-sse: aws:kms',
  ({ reversible, swap }) =>
    reversible && !swap && 'reversible needs swap: true; a restore in place keeps no old database',
  ({ tolerateErrors, swap }) =>
    tolerateErrors.length > 0 &&
    !swap &&
    'tolerate-errors needs swap: true; one transaction ends at its first error',
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
  if (command === 'dump' && inputs.dumpKey !== '') warnings.push('dump-key has no effect with command: dump')
  if (command !== 'list' && connectionFrom === 'environment') {
    warnings.push("database-url is not given; the job's own PG* variables decide where to connect")
  }
  return warnings
}
