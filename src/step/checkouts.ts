import { access, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/** More folders than a large project has with all of its dependencies; a search through them takes seconds. */
const MAX_FOLDERS = 200_000

/**
 * Finds every git checkout in a folder, at any depth, and those that symbolic links lead to or into.
 *
 * @returns their real paths
 * @throws an Error when there are too many folders to search them all
 */
export async function findCheckouts(top: string, limit = MAX_FOLDERS): Promise<string[]> {
  const checkouts = new Set<string>()
  const searched = new Set<string>()
  const waiting = [await realpath(top).catch(() => top)]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (searched.has(folder)) continue
    if (searched.size === limit)
      throw new Error(`"${top}" has more than ${limit} folders, so its git checkouts cannot be found`)
    searched.add(folder)
    // What this process cannot read, its hooks cannot read either.
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const path = join(folder, entry.name)
      if (entry.name === '.git') checkouts.add(folder)
      else if (entry.isDirectory()) waiting.push(path)
      else if (entry.isSymbolicLink()) {
        const target = await realpath(path).catch(() => null)
        if (target === null) continue
        if ((await stat(target)).isDirectory()) waiting.push(target)
        for (const checkout of await checkoutsAbove(target)) checkouts.add(checkout)
      }
    }
  }
  return [...checkouts]
}

/** A link may lead into the middle of a checkout, whose `.git` is further up. */
async function checkoutsAbove(path: string): Promise<string[]> {
  const found: string[] = []
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (await exists(join(folder, '.git'))) found.push(folder)
    if (folder === dirname(folder)) return found
  }
}

/** A git checkout, read from the files of its repository: git itself would run programs that its settings name. */
export type Checkout = {
  /** The commit of HEAD; null when it cannot be read. */
  commit: string | null
  /** The only URL of the remote `origin`; null when it has none or several. */
  origin: string | null
  /** Returns the commit of a branch of `origin` as last fetched; null when there is none. */
  fetched(branch: string): Promise<string | null>
}

/** Reads a checkout. Its `.git` is a folder, or a file that names the folder, as in a worktree or a submodule. */
export async function readCheckout(folder: string): Promise<Checkout> {
  const link = /^gitdir: (.+)$/m.exec((await read(join(folder, '.git'))) ?? '')?.[1]
  const own = link ? resolve(folder, link) : join(folder, '.git')
  const shared = resolve(own, (await read(join(own, 'commondir')))?.trim() ?? '.')
  const commitOf = async (ref: string) => {
    const loose = await read(join(shared, ref))
    return loose === null
      ? packedCommit((await read(join(shared, 'packed-refs'))) ?? '', ref)
      : asCommit(loose)
  }
  const head = (await read(join(own, 'HEAD'))) ?? ''
  const branch = /^ref: (.+)$/m.exec(head)?.[1]
  return {
    commit: branch ? await commitOf(branch) : asCommit(head),
    origin: originOf((await read(join(shared, 'config'))) ?? ''),
    fetched: (name) => commitOf(`refs/remotes/origin/${name}`),
  }
}

function asCommit(text: string): string | null {
  return /^[0-9a-f]{40,64}$/.exec(text.trim())?.[0] ?? null
}

function packedCommit(packed: string, ref: string): string | null {
  const line = packed.split('\n').find((line) => line.endsWith(` ${ref}`))
  return asCommit(line?.split(' ')[0] ?? '')
}

function originOf(config: string): string | null {
  const sections = config.split(/^\s*(?=\[)/m).filter((section) => /^\[remote "origin"\]/i.test(section))
  const urls = sections.flatMap((section) => [...section.matchAll(/^\s*url\s*=\s*(.*?)\s*$/gim)])
  return urls.length === 1 ? urls[0]![1]! : null
}

function read(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null)
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
