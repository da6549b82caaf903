import { readdirSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { S3Store } from '../../../lab/s3/s3.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { Aws } from '../../../src/aws/cli.ts'
import type { S3Options } from '../../../src/storage/s3/s3-options.ts'
import { s3Storage } from '../../../src/storage/s3/s3-storage.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { findAwsClis } from '../../../src/tools/aws/aws-search.ts'
import { currentEnvironment } from '../../../src/tools/options.ts'

const clis = await findAwsClis(currentEnvironment())

/** The AWS CLI of this machine; one with conditional writes if there are several. */
export const cli = clis.find(({ supportsConditionalPut }) => supportsConditionalPut) ?? clis[0]

/** For tests that need the AWS CLI, where there is none. */
export const noCli = cli ? false : 'no AWS CLI on this machine'

/** What may differ from the bucket, the credentials and the program that a store is reached with. */
type Changes = {
  options?: Partial<S3Options>
  config?: Record<string, string>
  program?: string
  /** A program that is tried before `program` is known. */
  likely?: string
}

/** A storage below a prefix of a store, so that tests can share the store and run side by side. */
export function s3Place(
  s3: S3Store,
  prefix: string,
  { options = {}, config = {}, program = cli!.path, likely }: Changes = {},
): { storage: Storage; leftovers: () => string[] } {
  const temp = tempFolder()
  const aws = new Aws({
    ...(likely ? { cli: wait(200, program), likelyCli: likely } : { cli: program }),
    environment: { PATH: process.env.PATH, HOME: temp.path, AWS_ACCESS_KEY_ID: 'of-the-job' },
    config: { ...s3.env, ...config },
    endpointUrl: s3.endpoint,
    checksum: 'when_required',
    region: null,
    identity: null,
    signal: new AbortController().signal,
  })
  const conditionalPut = cli!.supportsConditionalPut
  const plain = { storageClass: '', sse: '', sseKmsKeyId: '', maxParts: 10_000, tempDirectory: temp.path }
  const storage = s3Storage({ ...plain, aws, bucket: s3.bucket, prefix, conditionalPut, ...options })
  return { storage, leftovers: () => readdirSync(temp.path).filter((name) => name.startsWith('pgclone')) }
}
