import { AwsError } from '../../aws/cli.ts'
import type { Removal } from '../storage.ts'
import type { S3Options } from './s3-options.ts'
import { withTemporaryFile } from './temporary-file.ts'

/** The limit of one request (AWS: API Reference, DeleteObjects). */
const MAX_KEYS_PER_REQUEST = 1000

/** Answers of stores that cannot delete several objects at once, or not as this AWS CLI asks for it (without Content-MD5). */
const CANNOT_DELETE_MANY = [
  'NotImplemented',
  'MethodNotAllowed',
  'MissingContentMD5',
  'InvalidRequest',
  'MalformedXML',
  'UnsupportedOperation',
  '405',
  '501',
]

/** How many AWS CLIs run at once when every object needs one. */
const MAX_PROCESSES = 4

/** Deletes exactly these keys, many in one request where the store can. */
export async function deleteObjects(options: S3Options, keys: readonly string[]): Promise<Removal> {
  const removal: Removal = { refused: new Map(), versionsStay: false }
  let together = true
  for (let start = 0; start < keys.length; start += MAX_KEYS_PER_REQUEST) {
    const batch = keys.slice(start, start + MAX_KEYS_PER_REQUEST)
    together &&= await deleteTogether(options, batch, removal)
    if (!together) await deleteOneByOne(options, batch, removal)
  }
  return removal
}

/**
 * Tells a retention, which the bucket's owner wants, from a missing right, which is a mistake. Both are AccessDenied, with
 * words of AWS ("Access Denied because object protected by object lock."), MinIO ("Object is WORM protected …") and others.
 */
const RETENTION = /object ?lock|retention|legal ?hold|WORM|immutab|protected/i

type Deletion = {
  Deleted?: { Key: string; DeleteMarker?: boolean }[]
  Errors?: { Key: string; Code: string; Message?: string }[]
}

/** @returns false when the store does not support this request; nothing is deleted then */
async function deleteTogether(
  options: S3Options,
  keys: readonly string[],
  removal: Removal,
): Promise<boolean> {
  const { aws, bucket, prefix } = options
  const Objects = keys.map((key) => ({ Key: prefix + key }))
  try {
    const answer = await withTemporaryFile(options, JSON.stringify({ Objects }), (path) => {
      const args = ['s3api', 'delete-objects', '--bucket', bucket, '--delete', `file://${path}`]
      // A deletion that is cut in half leaves more behind than a whole one.
      return aws.json<Deletion>(args, { evenWhenCancelled: true })
    })
    for (const { Key, Code, Message } of answer.Errors ?? []) {
      const reason = Message ? `${Message} [${Code}]` : Code
      removal.refused.set(Key.slice(prefix.length), { reason, retained: RETENTION.test(reason) })
    }
    removal.versionsStay ||= answer.Deleted?.some(({ DeleteMarker }) => DeleteMarker === true) ?? false
    return true
  } catch (error) {
    if (error instanceof AwsError && CANNOT_DELETE_MANY.includes(error.code)) return false
    throw error
  }
}

async function deleteOneByOne(
  { aws, bucket, prefix }: S3Options,
  keys: readonly string[],
  removal: Removal,
): Promise<void> {
  const waiting = [...keys]
  const work = async () => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      const args = ['s3api', 'delete-object', '--bucket', bucket, '--key', prefix + key]
      try {
        const answer = await aws.json<{ DeleteMarker?: boolean }>(args, { evenWhenCancelled: true })
        removal.versionsStay ||= answer.DeleteMarker === true
      } catch (error) {
        if (!(error instanceof AwsError)) throw error
        removal.refused.set(key, { reason: error.message, retained: RETENTION.test(error.detail) })
      }
    }
  }
  await Promise.all(Array.from({ length: MAX_PROCESSES }, work))
}
