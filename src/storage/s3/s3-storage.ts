import { AwsError } from '../../aws/cli.ts'
import { type Storage, TakenError } from '../storage.ts'
import { deleteObjects } from './delete-objects.ts'
import { download, readBeginning } from './download.ts'
import { checkBucket, headObject, listObjects } from './find-objects.ts'
import { tooLarge } from './plan-parts.ts'
import { readTexts } from './read-texts.ts'
import { type S3Options, serverSideEncryption } from './s3-options.ts'
import { withTemporaryFile } from './temporary-file.ts'
import { abortUploadsOf, sweepUploads } from './unfinished-uploads.ts'
import { S3Upload } from './upload.ts'

/** Returns a bucket as the place for dumps, reached by the AWS CLI. */
export function s3Storage(options: S3Options): Storage {
  const { aws, bucket, prefix } = options
  const address = (key: string) => `s3://${bucket}/${prefix}${key}`
  return {
    address,
    check: (below) => checkBucket(options, below),
    list: (below) => listObjects(options, below),
    size: (key, more) => headObject(options, key, more),
    readBeginning: (key, bytes) => readBeginning(options, key, bytes),
    readTexts: (keys) => readTexts(options, keys),
    writeTextOnce: (key, text) => putText(options, key, text, putOnce),
    replaceText: (key, text) => putText(options, key, text, put),
    upload: (key, expectedBytes) =>
      aws.begin(
        () => new S3Upload(options, key, expectedBytes),
        (upload) => upload.abort(),
      ),
    tooLarge: (bytes) => tooLarge(bytes, options.maxParts),
    download: (key) => download(options, key),
    sweep: () => sweepUploads(options),
    abandon: (key) => abortUploadsOf(options, key),
    remove: (key) =>
      aws
        .text(['s3api', 'delete-object', ...objectArguments(options, key)], { evenWhenCancelled: true })
        .then(() => undefined),
    removeAll: (keys) => deleteObjects(options, keys),
  }
}

function objectArguments({ bucket, prefix }: S3Options, key: string): string[] {
  return ['--bucket', bucket, '--key', prefix + key]
}

type Put = (options: S3Options, key: string, args: string[], text: string) => Promise<void>

/** `put-object` takes its body from a file only. */
async function putText(options: S3Options, key: string, text: string, publish: Put): Promise<void> {
  const encryption = serverSideEncryption(options, ['--server-side-encryption', '--ssekms-key-id'])
  await withTemporaryFile(options, text, (body) => {
    const type = key.endsWith('.json') ? 'application/json' : 'text/plain; charset=utf-8'
    const content = ['--body', body, '--content-type', type]
    const args = ['s3api', 'put-object', ...objectArguments(options, key), ...content, ...encryption]
    return publish(options, key, args, text)
  })
}

/** A cancel does not interrupt a write, because nobody would know whether it happened. */
const evenWhenCancelled = { evenWhenCancelled: true }

const put: Put = async ({ aws }, _key, args) => {
  await aws.json(args, evenWhenCancelled)
}

/** The first writer wins where the store and the CLI support `If-None-Match`; elsewhere the key is only looked up before. */
const putOnce: Put = async (options, key, args, text) => {
  if ((await options.conditionalPut) && (await putIfAbsent(options, key, args, text))) return
  if ((await headObject(options, key)) !== null) throw new TakenError(key)
  await put(options, key, args, text)
}

/** @returns false when the store does not support conditional writes */
async function putIfAbsent(options: S3Options, key: string, args: string[], text: string): Promise<boolean> {
  try {
    await options.aws.json([...args, '--if-none-match', '*'], evenWhenCancelled)
    return true
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    if (error.code === 'NotImplemented') return false
    if (!['PreconditionFailed', 'ConditionalRequestConflict'].includes(error.code)) throw error
    // When an answer is lost, the CLI repeats the request and finds what it wrote itself.
    const found = await readTexts(options, [key]).catch(() => new Map<string, string>())
    if (found.get(key) === text) return true
    throw new TakenError(key, { cause: error })
  }
}
