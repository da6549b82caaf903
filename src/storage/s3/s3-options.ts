import type { Aws } from '../../aws/cli.ts'

/** A prefix in a bucket, and how objects are stored there. */
export type S3Options = {
  aws: Aws
  bucket: string
  /** Empty, or ends with `/`. */
  prefix: string
  storageClass: string
  sse: string
  sseKmsKeyId: string
  /** The provider's limit for the parts of one object. */
  maxParts: number
  /** Whether this AWS CLI has `put-object --if-none-match`. */
  conditionalPut: boolean | Promise<boolean>
  /** For small files, which are removed by the end of the step. */
  tempDirectory: string
}

/** Returns arguments for the encryption of an upload, under the names that `s3 cp` or `s3api` have for them. */
export function serverSideEncryption(
  { sse, sseKmsKeyId }: Pick<S3Options, 'sse' | 'sseKmsKeyId'>,
  [method, keyId]: [string, string],
): string[] {
  return [...(sse ? [method, sse] : []), ...(sseKmsKeyId ? [keyId, sseKmsKeyId] : [])]
}
