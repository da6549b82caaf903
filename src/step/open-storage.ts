import { resolve } from 'node:path'
import { checkEndpoint } from '../aws/check-endpoint.ts'
import { Aws, awsVariables } from '../aws/cli.ts'
import { awsEndpoint, endpointOf, isProxied } from '../aws/endpoint.ts'
import { expiryWarning } from '../aws/expiry.ts'
import { storeRegion } from '../aws/region.ts'
import type { Role } from '../aws/role.ts'
import { type Provider, providerOf } from '../aws/s3-providers.ts'
import type { Command, Inputs } from '../inputs/inputs.ts'
import { untilAborted, within } from '../process/transfer.ts'
import { log } from '../report/log.ts'
import { type Limit, localStorage } from '../storage/local/local-storage.ts'
import { s3Storage } from '../storage/s3/s3-storage.ts'
import type { Selection } from '../storage/series.ts'
import type { Place, Storage } from '../storage/storage.ts'
import { likelyAws } from '../tools/aws/aws-search.ts'
import { type AwsCli, awsWarnings, provideAwsCli } from '../tools/aws/provide-aws-cli.ts'
import type { Step } from './step.ts'

/** Opens the storage of the dumps. Its first use shows whether it answers. */
export async function openStorage(step: Step): Promise<Storage> {
  const { inputs, workspace } = step
  return inputs.location.kind === 'folder'
    ? localStorage(resolve(workspace, inputs.location.path), limitOf(step))
    : openS3(step, inputs.location)
}

/** Returns the limit of work on a folder. The AWS CLI has time limits of its own. */
function limitOf({ inputs, signal }: Step): Limit {
  return async (work, late) => {
    using limit = within(signal, inputs.idleTimeout, 'storage-location did not answer')
    return await untilAborted(work, limit.signal, late)
  }
}

async function openS3(step: Step, location: { bucket: string; prefix: string }): Promise<Storage> {
  const { inputs, environment, role, signal } = step
  const variables = awsVariables(environment, inputs.s3Config)
  const endpointUrl = inputs.s3EndpointUrl ?? endpointOf(variables)
  const provider = providerOf(endpointUrl)
  const given = { chosen: inputs.awsRegion, config: inputs.s3Config, environment }
  const region = storeRegion(given, provider.region, provider.defaultRegion)
  const setting = inputs.s3EndpointUrl ? 's3-endpoint-url' : endpointUrl ? 'AWS_ENDPOINT_URL' : 'aws-region'
  const address = endpointUrl ?? awsEndpoint(region)
  const checksum = checksumMode(inputs, provider)
  const provided = announce(provideAwsCli({ ...step.tools, release: inputs.awsCli }), { inputs, checksum })
  // The role's configuration names the program.
  const isRole = actsAsRole(inputs, role)
  const [likelyCli] = await Promise.all([
    isRole ? null : likelyAws(step.tools.environment),
    isRole ? role.open() : undefined,
    isProxied(variables, address) ? undefined : checkEndpoint(address, setting, signal),
  ])
  const path = quiet(provided.then((found) => found.path))
  const cli = likelyCli === null ? await path : path
  const identity = isRole ? await role.variables(await path) : null
  const config = inputs.s3Config
  return s3Storage({
    ...location,
    aws: new Aws({
      ...{ cli, likelyCli, environment, config, endpointUrl, checksum, region, identity, signal },
    }),
    storageClass: inputs.s3StorageClass,
    sse: inputs.s3Sse,
    sseKmsKeyId: inputs.s3SseKmsKeyId,
    maxParts: Math.min(inputs.s3MaxParts, provider.maxParts),
    conditionalPut: quiet(provided.then((found) => found.supportsConditionalPut)),
    tempDirectory: step.tempDirectory,
  })
}

/** Warns of known flaws of the AWS CLI once it is known. If there is none, its first use fails. */
function announce(
  provided: Promise<AwsCli>,
  { inputs, checksum }: { inputs: Inputs; checksum: Provider['checksum'] },
): Promise<AwsCli> {
  const downloads = DOWNLOADS.includes(inputs.command)
  return quiet(
    provided.then((cli) => {
      for (const warning of awsWarnings(cli, { downloads, checksum })) log.warning(warning)
      return cli
    }),
  )
}

/** Keeps a promise that is awaited later from counting as an unhandled rejection if it fails first. */
function quiet<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => undefined)
  return promise
}

/** The commands that download whole dumps. */
const DOWNLOADS: readonly Command[] = ['restore', 'verify']

/** Returns when the AWS CLI adds its own checksums. */
function checksumMode({ s3Checksum }: Inputs, provider: Provider): Provider['checksum'] {
  if (s3Checksum === 'auto') return provider.checksum
  return s3Checksum === 'when-supported' ? 'when_supported' : 'when_required'
}

/** Returns the place of a dump, for the summary. */
export function placeOf(inputs: Inputs, storage: Storage, key: string): Place {
  return { uri: storage.address(key), onAws: inputs.location.kind === 's3' && inputs.s3EndpointUrl === null }
}

/** Whether `aws-role-to-assume` applies to the store. Keys in `s3-config` are for the store alone and win. */
function actsAsRole(inputs: Inputs, role: Role): boolean {
  return role.given && inputs.s3Config.AWS_ACCESS_KEY_ID === undefined
}

/** Warns of AWS credentials that may expire before the work is done. */
export function checkExpiry(step: Step, work: { kind: 'dump' | 'restore'; bytes: number }): void {
  const { inputs, environment, role } = step
  if (inputs.location.kind !== 's3' || actsAsRole(inputs, role)) return
  const warning = expiryWarning(awsVariables(environment, inputs.s3Config), work, Date.now())
  if (warning) log.warning(warning)
}

/** Returns which dumps the inputs `dump-key`, `instance` and `config` mean. */
export function selectionOf({ dumpKey, instance, config }: Inputs): Selection {
  return { reference: dumpKey, instance, config: config === 'none' ? '' : config }
}
