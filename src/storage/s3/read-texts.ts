import { existsSync } from 'node:fs'
import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { notePending } from '../../leftovers.ts'
import { removeTree } from '../../process/remove-tree.ts'
import type { S3Options } from './s3-options.ts'

/** The AWS CLI caches the patterns of its filters up to a number that depends on its Python (`fnmatch.py`: 256 and more). */
const MAX_FILTERS = 200

/** `--include` would read these in the prefix of the location as a pattern, and then exclude nothing. */
const PATTERN = /[*?[]/

/**
 * Reads exactly these objects, several with one recursive copy, because each start of the AWS CLI takes most of a second.
 *
 * @returns the texts by key, of several without those that were deleted meanwhile
 * @throws an AwsError when one cannot be read
 */
export async function readTexts(options: S3Options, keys: readonly string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  if (keys.length <= 1 || PATTERN.test(options.prefix)) {
    const address = (key: string) => `s3://${options.bucket}/${options.prefix}${key}`
    await Promise.all(
      keys.map(async (key) => texts.set(key, await options.aws.text(['s3', 'cp', address(key), '-']))),
    )
    return texts
  }
  for (let start = 0; start < keys.length; start += MAX_FILTERS) {
    const batch = keys.slice(start, start + MAX_FILTERS)
    for (const [key, text] of await readBatch(options, batch)) texts.set(key, text)
  }
  return texts
}

async function readBatch(options: S3Options, keys: readonly string[]): Promise<[string, string][]> {
  const { aws, bucket, prefix, tempDirectory } = options
  const folder = await mkdtemp(join(tempDirectory, 'pgclone-manifests-'))
  const forget = notePending({ kind: 'file', path: folder })
  try {
    const below = commonFolder(keys)
    const includes = keys.flatMap((key) => ['--include', key.slice(below.length)])
    const source = `s3://${bucket}/${prefix}${below}`
    await aws.text([
      's3',
      'cp',
      source,
      folder,
      '--recursive',
      '--only-show-errors',
      '--exclude',
      '*',
      ...includes,
    ])
    const pathOf = (key: string) => join(folder, ...key.slice(below.length).split('/'))
    const found = keys.filter((key) => existsSync(pathOf(key)))
    return await Promise.all(
      found.map(async (key) => [key, await readFile(pathOf(key), 'utf8')] as [string, string]),
    )
  } finally {
    await removeTree(folder)
    forget()
  }
}

/** Returns the deepest folder that all keys are in, empty or with `/` at its end. */
function commonFolder(keys: readonly string[]): string {
  const folders = keys.map((key) => key.split('/').slice(0, -1))
  const [first = []] = folders
  const depth = first.findIndex((part, index) => folders.some((folder) => folder[index] !== part))
  return first
    .slice(0, depth === -1 ? first.length : depth)
    .map((part) => `${part}/`)
    .join('')
}
