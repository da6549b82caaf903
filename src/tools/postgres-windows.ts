import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from './command.ts'
import { download, fileUrl } from './download.ts'
import type { ToolOptions } from './options.ts'
import { moveIntoPlace, toolDirectory, withStaging } from './tool-directory.ts'
import { assertWholeZip } from './zip.ts'

/** Its `versions.json` lists the newest release of each major: `[{"major": "17", "latestMinor": "6", …}]`. */
const RELEASES = 'https://www.postgresql.org'
/** EnterpriseDB's archives of the binaries (https://www.enterprisedb.com/download-postgresql-binaries). */
const ARCHIVES = 'https://get.enterprisedb.com/postgresql'

/** The newest release of a major, as in `17.6`. */
export function newestRelease(releases: string, major: number): string {
  const list = JSON.parse(releases) as { major: string; latestMinor: string }[]
  const entry = list.find((release) => release.major === String(major))
  if (!entry || !/^\d+$/.test(entry.latestMinor)) throw new Error(`versions.json has no PostgreSQL ${major}`)
  return `${major}.${entry.latestMinor}`
}

/** Puts the programs of a major into our tool directory, where the search finds them. */
export async function installWindowsClient(major: number, options: ToolOptions): Promise<void> {
  const { environment, downloadBaseUrl: mirror } = options
  await withStaging(environment, async (folder) => {
    const [releases, archive] = [join(folder, 'versions.json'), join(folder, 'archive.zip')]
    await download(fileUrl(mirror ?? RELEASES, 'versions.json'), releases, options)
    const release = newestRelease(await readFile(releases, 'utf8'), major)
    await download(
      fileUrl(mirror ?? ARCHIVES, `postgresql-${release}-1-windows-x64-binaries.zip`),
      archive,
      options,
    )
    await assertWholeZip(archive)
    // Windows' own tar reads zip, the one of Git does not. pgsql/bin holds the programs and their libraries.
    const tar = join(environment.env.SystemRoot ?? 'C:\\Windows', 'System32', 'tar.exe')
    const unpack = { file: tar, args: ['-xf', archive, '-C', folder, 'pgsql/bin'], timeoutSeconds: 300 }
    const result = await runCommand(unpack, options)
    if (!result.ok) throw new Error(result.reason)
    await moveIntoPlace(join(folder, 'pgsql'), join(toolDirectory(environment), 'postgresql', release))
  })
}
