import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { type Aws, AwsError } from '../../aws/cli.ts'
import { notePending } from '../../leftovers.ts'
import { endChild, succeeded } from '../../process/child.ts'
import { removeTree } from '../../process/remove-tree.ts'
import type { Source } from '../../process/transfer.ts'
import { type Storage, TakenError } from '../storage.ts'
import { deleteObjects } from './delete.ts'
import { checkBucket, headObject, listObjects } from './look.ts'
import { tooLarge } from './parts.ts'
import { withTextFile } from './text.ts'
import {
  abortMultipartUploads,
  type S3Options,
  S3Upload,
  serverSideEncryption,
  sweepUploads,
} from './upload.ts'

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
    upload: async (key, expectedBytes) => new S3Upload(options, key, expectedBytes),
    tooLarge: (bytes) => tooLarge(bytes, options.maxParts),
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
    await removeTree(folder)
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

type Put = (options: S3Options, key: string, args: string[], text: string) => Promise<void>

/** `put-object` takes its body from a file only. */
async function putText(options: S3Options, key: string, text: string, publish: Put): Promise<void> {
  const encryption = serverSideEncryption(options, ['--server-side-encryption', '--ssekms-key-id'])
  await withTextFile(options, text, (body) => {
    const content = ['--body', body, '--content-type', 'application/json']
    const args = ['s3api', 'put-object', ...objectArguments(options, key), ...content, ...encryption]
    return publish(options, key, args, text)
  })
}

const put: Put = async ({ aws }, _key, args) => {
  await aws.json(args)
}

/** The first writer wins where the store and the CLI know `If-None-Match`; elsewhere a look before must do. */
const putOnce: Put = async (options, key, args, text) => {
  if (options.conditionalPut && (await putIfAbsent(options, key, args, text))) return
  if ((await headObject(options, key)) !== null) throw new TakenError(key)
  await put(options, key, args, text)
}

/** @returns false when the store does not know conditional writes */
async function putIfAbsent(options: S3Options, key: string, args: string[], text: string): Promise<boolean> {
  try {
    await options.aws.json([...args, '--if-none-match', '*'])
    return true
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    if (error.code === 'NotImplemented') return false
    if (!['PreconditionFailed', 'ConditionalRequestConflict'].includes(error.code)) throw error
    // When an answer is lost, the CLI asks again, and finds what it wrote itself.
    const found = await readTexts(options, [key], '').catch(() => new Map<string, string>())
    if (found.get(key) === text) return true
    throw new TakenError(key, { cause: error })
  }
}

function download(aws: Aws, source: string): Source {
  const child = aws.start(['s3', 'cp', source, '-', '--only-show-errors'], { stdin: 'none' })
  return {
    stream: child.stdout,
    finish: async () => {
      const exit = await child.exited
      if (!succeeded(exit)) throw aws.failure(child, exit, 's3 cp (download)')
    },
    // Unlike an upload, a download may be ended by SIGTERM at any moment; SIGINT can hang while the reader is blocked.
    abort: () =>
      endChild(child, ['SIGTERM', 'SIGKILL'], 1000)
        .then(() => child.stdout.destroy())
        .then(() => undefined),
  }
}
