import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { endChild, succeeded } from '../process/child.ts'
import { notePending } from '../process/pending.ts'
import type { Source } from '../process/transfer.ts'
import { log } from '../report/log.ts'
import { type Aws, AwsError, awsFailure } from './aws.ts'
import {
  abortMultipartUploads,
  type S3Options,
  S3Upload,
  serverSideEncryption,
  sweepUploads,
  uploadArguments,
} from './s3-upload.ts'
import { type Storage, type StoredObject, TakenError } from './storage.ts'

/** A bucket as the place for dumps, reached by the AWS CLI. */
export function s3Storage(options: S3Options): Storage {
  const { aws, bucket, prefix } = options
  const address = (key: string) => `s3://${bucket}/${prefix}${key}`
  return {
    address,
    check: () => checkBucket(options),
    list: (below) => listObjects(options, below),
    size: (key) => headObject(options, key),
    readTexts: (keys, below) => readTexts(options, keys, below),
    writeTextOnce: (key, text) => putText(options, key, text, putOnce),
    replaceText: (key, text) => putText(options, key, text, put),
    upload: async (key, expectedBytes) =>
      new S3Upload(options, key, uploadArguments(options, address(key), expectedBytes)),
    download: async (key) => download(aws, address(key)),
    sweep: () => sweepUploads(options),
    abandon: (key) => abortMultipartUploads(options, key).then(() => undefined),
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

/** Credentials, endpoint and bucket. A policy without `s3:ListBucket` is no reason to stop here. */
async function checkBucket(options: S3Options): Promise<void> {
  const args = ['s3api', 'list-objects-v2', '--bucket', options.bucket, '--prefix', options.prefix]
  try {
    await options.aws.json([...args, '--max-keys', '1', '--no-paginate'])
  } catch (error) {
    if (!(error instanceof AwsError) || error.code !== 'AccessDenied') throw error
    log.warning(
      'The credentials may not list the bucket (s3:ListBucket); `latest`, prefixes and `list` will not work',
    )
  }
}

type Page = {
  Contents?: { Key: string; Size: number }[]
  IsTruncated?: boolean
  NextContinuationToken?: string
}

/** Page by page, so that an answer that ends before its last page is an error and not a short list. */
async function listObjects({ aws, bucket, prefix }: S3Options, below: string): Promise<StoredObject[]> {
  const folder = below === '' ? '' : `${below.replace(/\/$/, '')}/`
  const found: StoredObject[] = []
  let token: string | undefined
  do {
    const args = [
      's3api',
      'list-objects-v2',
      '--bucket',
      bucket,
      '--prefix',
      prefix + folder,
      '--no-paginate',
    ]
    const page: Page = await aws.json<Page>(token ? [...args, '--continuation-token', token] : args)
    for (const { Key, Size } of page.Contents ?? []) found.push({ key: Key.slice(prefix.length), size: Size })
    token = page.NextContinuationToken
    if (page.IsTruncated && !token)
      throw new Error('The store said that its list goes on and gave no way to go on')
  } while (token)
  return found
}

async function headObject(options: S3Options, key: string): Promise<number | null> {
  try {
    const head = await options.aws.json<{ ContentLength: number }>([
      's3api',
      'head-object',
      ...objectArguments(options, key),
    ])
    return head.ContentLength
  } catch (error) {
    if (error instanceof AwsError && ['404', 'NoSuchKey'].includes(error.code)) return null
    throw error
  }
}

/** One by one when they are few; else in one go, because every start of the AWS CLI takes most of a second. */
async function readTexts(
  options: S3Options,
  keys: readonly string[],
  below: string,
): Promise<Map<string, string>> {
  const source = (key: string) => `s3://${options.bucket}/${options.prefix}${key}`
  if (keys.length <= 2) {
    const texts = keys.map(
      async (key) => [key, await options.aws.text(['s3', 'cp', source(key), '-'])] as const,
    )
    return new Map(await Promise.all(texts))
  }
  const folder = await mkdtemp(join(options.tempDirectory, 'pgclone-manifests-'))
  const forget = notePending({ kind: 'file', path: folder })
  try {
    const filter = ['--recursive', '--exclude', '*', '--include', '*.dump.json', '--only-show-errors']
    await options.aws.text([
      's3',
      'cp',
      source(below === '' ? '' : `${below.replace(/\/$/, '')}/`),
      folder,
      ...filter,
    ])
    return await readFolder(folder, below, new Set(keys))
  } finally {
    await rm(folder, { recursive: true, force: true })
    forget()
  }
}

async function readFolder(folder: string, below: string, wanted: Set<string>): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const key = join(below, relative(folder, path)).split(sep).join('/')
    if (entry.isFile() && wanted.has(key)) texts.set(key, await readFile(path, 'utf8'))
  }
  return texts
}

/** So many keys one request may name (AWS: API Reference, DeleteObjects). */
const DELETED_AT_ONCE = 1000

type Deletion = { Errors?: { Key: string; Code: string; Message?: string }[] }

async function deleteObjects(options: S3Options, keys: readonly string[]): Promise<Map<string, string>> {
  const { aws, bucket, prefix } = options
  const refused = new Map<string, string>()
  for (let start = 0; start < keys.length; start += DELETED_AT_ONCE) {
    const Objects = keys.slice(start, start + DELETED_AT_ONCE).map((key) => ({ Key: prefix + key }))
    const { Errors = [] } = await withTextFile(options, JSON.stringify({ Objects, Quiet: true }), (path) => {
      const args = ['s3api', 'delete-objects', '--bucket', bucket, '--delete', `file://${path}`]
      // Half of a deletion leaves more behind than a whole one.
      return aws.json<Deletion>(args, { evenWhenCancelled: true })
    })
    for (const { Key, Code, Message } of Errors) {
      refused.set(Key.slice(prefix.length), Message ? `${Message} [${Code}]` : Code)
    }
  }
  return refused
}

type Put = (options: S3Options, key: string, args: string[]) => Promise<void>

/** `put-object` takes its body from a file only. */
async function putText(options: S3Options, key: string, text: string, publish: Put): Promise<void> {
  const encryption = serverSideEncryption(options, ['--server-side-encryption', '--ssekms-key-id'])
  await withTextFile(options, text, (body) => {
    const content = ['--body', body, '--content-type', 'application/json']
    return publish(options, key, [
      's3api',
      'put-object',
      ...objectArguments(options, key),
      ...content,
      ...encryption,
    ])
  })
}

/** A text as a file, for as long as the work with it takes. */
async function withTextFile<Result>(
  { tempDirectory }: S3Options,
  text: string,
  work: (path: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tempDirectory, 'pgclone-text-'))
  const forget = notePending({ kind: 'file', path: folder })
  const path = join(folder, 'text.json')
  try {
    await writeFile(path, text, { mode: 0o600 })
    return await work(path)
  } finally {
    await rm(folder, { recursive: true, force: true })
    forget()
  }
}

const put: Put = async ({ aws }, _key, args) => {
  await aws.json(args)
}

/** The first writer wins where the store and the CLI know `If-None-Match`; elsewhere a look before must do. */
const putOnce: Put = async (options, key, args) => {
  if (options.conditionalPut && (await putIfAbsent(options, key, args))) return
  if ((await headObject(options, key)) !== null) throw new TakenError(key)
  await put(options, key, args)
}

/** @returns false when the store does not know conditional writes */
async function putIfAbsent({ aws }: S3Options, key: string, args: string[]): Promise<boolean> {
  try {
    await aws.json([...args, '--if-none-match', '*'])
    return true
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    if (error.code === 'PreconditionFailed') throw new TakenError(key, { cause: error })
    if (error.code === 'NotImplemented') return false
    throw error
  }
}

function download(aws: Aws, source: string): Source {
  const child = aws.start(['s3', 'cp', source, '-', '--only-show-errors'], { stdin: 'none' })
  return {
    stream: child.stdout,
    finish: async () => {
      const exit = await child.exited
      if (!succeeded(exit)) throw awsFailure(child, exit, 's3 cp (download)')
    },
    // Unlike an upload, a download may be ended by SIGTERM at any moment; SIGINT can hang while the reader is blocked.
    abort: () =>
      endChild(child, ['SIGTERM', 'SIGKILL'], 1000)
        .then(() => child.stdout.destroy())
        .then(() => undefined),
  }
}
