import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, runCommand } from '../command.ts'
import { download } from '../download.ts'
import type { ToolOptions } from '../options.ts'
import { assertVendorSigned } from '../proof/vendor-signature.ts'
import { moveIntoPlace, withStaging } from '../tool-directory.ts'

/** Lists the newest release of each major: `[{"major": "17", "latestMinor": "6", …}]`. */
const RELEASES = 'https://www.postgresql.org/versions.json'

/**
 * EnterpriseDB's installer, which is the published form of the programs that carries a signature; the zip archives
 * beside it carry none (https://www.enterprisedb.com/downloads/postgres-postgresql-downloads).
 */
function installerUrl(release: string): string {
  return `https://get.enterprisedb.com/postgresql/postgresql-${release}-1-windows-x64.exe`
}

/** The newest release of a major, as in `17.6`. */
export function newestRelease(releases: string, major: number): string {
  const list = JSON.parse(releases) as { major: string; latestMinor: string }[]
  const entry = list.find((release) => release.major === String(major))
  if (!entry || !/^\d+$/.test(entry.latestMinor)) throw new Error(`versions.json has no PostgreSQL ${major}`)
  return `${major}.${entry.latestMinor}`
}

/**
 * How the installer is made to unpack and do nothing else: no service, no registry
 * (https://www.enterprisedb.com/docs/supported-open-source/postgresql/installing/command_line_parameters). `RunAsInvoker`
 * keeps Windows from asking for an administrator.
 */
export function extractCommand(installer: string, folder: string): Command {
  const unattended = ['--mode', 'unattended', '--unattendedmodeui', 'none', '--extract-only', '1']
  return {
    file: installer,
    args: [...unattended, '--disable-components', 'pgAdmin,stackbuilder', '--prefix', folder],
    env: { __COMPAT_LAYER: 'RunAsInvoker' },
    timeoutSeconds: 600,
  }
}

/** Puts the programs of a major into our tool directory, where the search finds them. */
export async function installWindowsClient(major: number, options: ToolOptions): Promise<void> {
  const { environment, log } = options
  await withStaging(environment, async (folder, directory) => {
    const releases = join(folder, 'versions.json')
    await download(RELEASES, releases, options)
    const release = newestRelease(await readFile(releases, 'utf8'), major)
    const installer = join(folder, 'installer.exe')
    await download(installerUrl(release), installer, options)
    const proof = await assertVendorSigned(installer, 'postgresql-installer', options)
    log(`The PostgreSQL ${release} installer is genuine by ${proof}`)
    const unpacked = join(folder, 'pgsql')
    const result = await runCommand(extractCommand(installer, unpacked), options)
    if (!result.ok) throw new Error(result.reason)
    await moveIntoPlace(unpacked, join(directory, 'postgresql', release))
  })
}
