import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { ToolOptions } from '../../src/tools/options.ts'
import { tempFolder } from '../temp.ts'

const OS_RELEASE = {
  debian: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\n',
  alpine: 'PRETTY_NAME="Alpine Linux v3.22"\nID=alpine\n',
  fedora: 'PRETTY_NAME="Fedora Linux 43"\nID=fedora\nVERSION_ID=43\n',
  rocky: 'PRETTY_NAME="Rocky Linux 9.6"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\n',
  unknown: 'PRETTY_NAME="Slackware 15"\nID=slackware\n',
}

export type Machine = AsyncDisposable & {
  root: string
  options: ToolOptions
  lines: string[]
  warnings: string[]
  /** Puts an executable shell script at a path under the root. */
  program(path: string, ...script: string[]): string
  /** Puts the three PostgreSQL programs into a folder under the root. */
  client(directory: string, version: string): string
  /** The text of a file under the root, empty when there is none. */
  read(path: string): string
}

/** A machine that is a temporary folder: its file system starts there, and its PATH holds nothing but our fakes. */
export function fakeMachine(
  system: keyof typeof OS_RELEASE = 'debian',
  changes: Partial<ToolOptions> = {},
): Machine {
  const folder = tempFolder('machine')
  const root = folder.path
  const lines: string[] = []
  const warnings: string[] = []
  const write = (path: string, text: string, mode: number) => {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    chmodSync(file, mode)
    return file
  }
  const program = (path: string, ...script: string[]) =>
    write(path, `#!/bin/sh\n${script.join('\n')}\n`, 0o755)
  write('etc/os-release', OS_RELEASE[system], 0o644)
  mkdirSync(join(root, 'bin'))
  const options: ToolOptions = {
    installTools: 'auto',
    postgresVersion: 'auto',
    downloadBaseUrl: null,
    log: (line) => lines.push(line),
    warn: (line) => warnings.push(line),
    environment: {
      platform: 'linux',
      arch: process.arch,
      env: { PATH: join(root, 'bin'), RUNNER_TOOL_CACHE: join(root, 'tools') },
      root,
      isRoot: true,
    },
    ...changes,
  }
  return {
    root,
    options,
    lines,
    warnings,
    program,
    client: (directory, version) => {
      for (const name of ['pg_dump', 'pg_restore', 'psql']) {
        program(`${directory}/${name}`, `echo "${name} (PostgreSQL) ${version} (Debian ${version}-1)"`)
      }
      return join(root, directory)
    },
    read: (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : ''),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

/** Where a program of the test's machine is, or null. */
export function findReal(name: string): string | null {
  // The system's own first: what version managers put on PATH needs their environment.
  const directories = ['/usr/bin', '/bin', ...(process.env.PATH ?? '').split(delimiter)]
  const paths = directories.map((directory) => join(directory, name))
  const path = paths.find((candidate) => existsSync(candidate))
  return path ? realpathSync(path) : null
}
