/** The version of an AWS CLI as its files say it, so that nothing is started for it. */
import { existsSync } from 'node:fs'
import { open, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ToolEnvironment } from '../options.ts'

/**
 * Returns the version of a program that the official installer, pip or a package of Python's put there.
 *
 * @returns undefined if the files do not say it for certain
 */
export async function versionOfFiles(path: string, { root }: ToolEnvironment): Promise<string | undefined> {
  const file = await realpath(path).catch(() => null)
  if (file === null) return undefined
  // On Alpine the official build is installed and does not work, because it needs glibc.
  const official = existsSync(join(root, 'etc/alpine-release')) ? null : OFFICIAL_PROGRAM.exec(file)
  return official?.[1] ?? (await versionOfPackage(file))
}

/** Where the official installer of Linux puts the program (https://github.com/aws/aws-cli/blob/v2/exe/assets/install). */
const OFFICIAL_PROGRAM = /\/aws-cli\/v2\/(\d+\.\d+\.\d+)\/dist\/aws$/

/** The first line of a script that pip or a distribution installs; a start by `/usr/bin/env` may choose another Python. */
const SHEBANG = /^#!(\/\S*\/python[\d.]*)\n/

/** The folder in which a package of Python says its version (https://packaging.python.org/en/latest/specifications/recording-installed-packages/). */
const METADATA = /^awscli-(\d+\.\d+\.\d+)\.(?:dist|egg)-info$/

/** Returns the version of the only `awscli` that the Python of a script finds in the installation of the script. */
async function versionOfPackage(script: string): Promise<string | undefined> {
  const [, interpreter] = SHEBANG.exec(await beginningOf(script)) ?? []
  const python = interpreter && (await realpath(interpreter).catch(() => null))
  if (!python) return undefined
  const library = join(dirname(dirname(script)), 'lib')
  // `python3` is the folder of Debian's own packages, for all of its Pythons.
  const folders = [basename(python), 'python3'].flatMap((name) =>
    ['site-packages', 'dist-packages'].map((packages) => join(library, name, packages)),
  )
  const names = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])))
  const versions = names.flat().flatMap((name) => METADATA.exec(name)?.[1] ?? [])
  return versions.length === 1 ? versions[0] : undefined
}

/** Returns the first characters of a file: another AWS CLI is a program of megabytes. */
async function beginningOf(path: string): Promise<string> {
  const file = await open(path).catch(() => null)
  if (file === null) return ''
  await using _ = file
  const { buffer, bytesRead } = await file.read(Buffer.alloc(256))
  return buffer.toString('latin1', 0, bytesRead)
}
