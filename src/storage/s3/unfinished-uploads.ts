import { log } from '../../report/log.ts'
import { parseDumpKey } from '../keys.ts'
import { LONGEST_TRANSFER_MS } from '../storage.ts'
import type { S3Options } from './s3-options.ts'

type OpenUpload = { Key: string; UploadId: string; Initiated: string }

/** Ends the open multipart uploads of exactly this key; returns whether there were any. */
export async function abortUploadsOf(options: S3Options, key: string): Promise<boolean> {
  const fullKey = options.prefix + key
  return (await abortUploads(options, fullKey, (upload) => upload.Key === fullKey)) > 0
}

/** Ends the uploads of dumps that began before any upload that can still be running. Other programs' uploads stay. */
export async function sweepUploads(options: S3Options): Promise<void> {
  const { prefix } = options
  await abortUploads(options, prefix, ({ Key, Initiated }) => {
    const isDead = Date.now() - Date.parse(Initiated) > LONGEST_TRANSFER_MS
    return isDead && Key.startsWith(prefix) && parseDumpKey(Key.slice(prefix.length)) !== null
  })
}

async function abortUploads(
  { aws, bucket }: S3Options,
  prefix: string,
  isChosen: (upload: OpenUpload) => boolean,
): Promise<number> {
  const evenWhenCancelled = { evenWhenCancelled: true }
  const listing = ['s3api', 'list-multipart-uploads', '--bucket', bucket, '--prefix', prefix]
  const { Uploads = [] } = await aws.json<{ Uploads?: OpenUpload[] }>(listing, evenWhenCancelled)
  const chosen = Uploads.filter(isChosen)
  for (const { Key, UploadId } of chosen) {
    const target = ['--bucket', bucket, '--key', Key, '--upload-id', UploadId]
    await aws.json(['s3api', 'abort-multipart-upload', ...target], evenWhenCancelled)
    log.info(`Ended the unfinished upload of ${Key}`)
  }
  return chosen.length
}
