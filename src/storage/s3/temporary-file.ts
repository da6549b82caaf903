import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { notePending } from '../../leftovers.ts'
import { removeTree } from '../../process/remove-tree.ts'

/** Keeps a text in a file while work with it goes on: the AWS CLI reads the bodies of requests from files only. */
export async function withTemporaryFile<Result>(
  { tempDirectory }: { tempDirectory: string },
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
    await removeTree(folder)
    forget()
  }
}
