import { AwsError } from '../../aws/cli.ts'
import { log } from '../../report/log.ts'
import type { StoredObject } from '../storage.ts'
import type { S3Options } from './s3-options.ts'

/** Checks credentials, endpoint and bucket by a listing. A policy without `s3:ListBucket` causes only a warning. */
export async function checkBucket(options: S3Options, below: string): Promise<StoredObject[] | null> {
  try {
    return await listObjects(options, below)
  } catch (error) {
    if (!(error instanceof AwsError) || error.code !== 'AccessDenied') throw error
    log.warning(
      'The credentials may not list the bucket, so `latest`, prefixes and `list` will not work; grant s3:ListBucket',
    )
    return null
  }
}

type Page = {
  Contents?: { Key: string; Size: number }[]
  IsTruncated?: boolean
  NextContinuationToken?: string
}

/** Lists objects page by page, so that an answer that ends before its last page is an error and not a short list. */
export async function listObjects(
  { aws, bucket, prefix }: S3Options,
  below: string,
): Promise<StoredObject[]> {
  const folder = below === '' ? '' : `${below.replace(/\/$/, '')}/`
  const args = ['s3api', 'list-objects-v2', '--bucket', bucket, '--prefix', prefix + folder, '--no-paginate']
  const found: StoredObject[] = []
  let token: string | undefined
  do {
    const page: Page = await aws.json<Page>(token ? [...args, '--continuation-token', token] : args)
    for (const { Key, Size } of page.Contents ?? []) found.push({ key: Key.slice(prefix.length), size: Size })
    token = page.NextContinuationToken
    if (page.IsTruncated && !token)
      throw new Error('The store did not say where its listing continues; its listing is not complete')
  } while (token)
  return found
}

/** Returns the stored bytes of a key, or null when it does not exist. */
export async function headObject(
  options: S3Options,
  key: string,
  more?: { evenWhenCancelled: boolean },
): Promise<number | null> {
  const { aws, bucket, prefix } = options
  try {
    const args = ['s3api', 'head-object', '--bucket', bucket, '--key', prefix + key]
    const head = await aws.json<{ ContentLength: number }>(args, more)
    return head.ContentLength
  } catch (error) {
    if (await isAbsent(options, key, error)) return null
    throw error
  }
}

/** Whether an error of reading an object means that it does not exist. */
export async function isAbsent(options: S3Options, key: string, error: unknown): Promise<boolean> {
  if (!(error instanceof AwsError)) return false
  if (['404', 'NoSuchKey'].includes(error.code)) return true
  return ['403', 'AccessDenied'].includes(error.code) && isUnlisted(options, key, error)
}

/**
 * S3 answers 403 for a missing object when the credentials may not list the bucket, or may list it only under a condition
 * on `s3:prefix`, which a HEAD cannot meet (AWS: API Reference, HeadObject). A listing of just this key can.
 *
 * @returns whether the store itself says that there is no such object
 * @throws the refusal of the HEAD when the listing is refused too, because then it is not known
 */
async function isUnlisted(options: S3Options, key: string, refusal: AwsError): Promise<boolean> {
  const { aws, bucket, prefix } = options
  const args = ['s3api', 'list-objects-v2', '--bucket', bucket, '--prefix', prefix + key, '--max-keys', '1']
  const page = await aws.json<Page>([...args, '--no-paginate']).catch(() => Promise.reject(refusal))
  // A key sorts before every longer one that begins with it.
  return !(page.Contents ?? []).some(({ Key }) => Key === prefix + key)
}
