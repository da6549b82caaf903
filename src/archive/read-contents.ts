import { ArchiveError } from './archive-error.ts'
import { ByteSource } from './byte-source.ts'
import { NEWEST_MINOR, peekVersion, readHeader } from './header.ts'
import { readToc, type TocEntry } from './toc.ts'

/** Reads the table of contents of an archive and nothing of its data. */
export async function readContents(source: AsyncIterable<Buffer>): Promise<TocEntry[]> {
  const input = new ByteSource(source)
  try {
    const { version, minor } = await peekVersion(input)
    if (minor > NEWEST_MINOR) {
      throw new ArchiveError(`archive version ${version} is newer than 1.${NEWEST_MINOR}`, 0)
    }
    return await readToc(input, await readHeader(input))
  } finally {
    await input.close()
  }
}
