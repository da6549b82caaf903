import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { filesReadBy, type Read } from './sql-script.ts'

/** The digest of a script and of everything that it reads, or why that is not known. */
export type ScriptDigest = { digest: string } | { unknown: string }

/** Computes the digest of a script for psql with the files that it includes, however deep. */
export async function digestScript(path: string, workspace: string): Promise<ScriptDigest> {
  const digests = new Map<string, string | null>()
  const open: Read[] = [{ path, isScript: true }]
  for (let read = open.pop(); read; read = open.pop()) {
    // Scripts may include each other.
    if (digests.has(identify(read))) continue
    if (!read.isScript) {
      digests.set(identify(read), await digestData(read.path))
      continue
    }
    const content = await readFile(read.path).catch(() => null)
    digests.set(identify(read), content && createHash('sha256').update(content).digest('hex'))
    const found = filesReadBy(content?.toString('utf8') ?? '', { path: read.path, workspace })
    if ('unknown' in found) return found
    open.push(...found.reads)
  }
  // Without the paths, so that runners with other folders share a template.
  return { digest: [...digests.values()].join() }
}

function identify({ path, isScript }: Read): string {
  return `${isScript ? 'script' : 'data'} ${path}`
}

/** Returns null for a file that cannot be read: then psql fails, or never comes to it. */
async function digestData(path: string): Promise<string | null> {
  const hash = createHash('sha256')
  return pipeline(createReadStream(path), hash).then(
    () => hash.digest('hex'),
    () => null,
  )
}
