/** Source and header packages of PostgreSQL, from the package repositories that this machine already uses. */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../../lab/runner/action-inputs.ts'

const run = promisify(execFile)
const CACHE = join(root, 'node_modules/.cache/realworld')

/** What a release brings: its source, and where there is one, the headers of its server. */
export interface Release {
  major: number
  version: string
  /** The folder with `src/`. */
  source: string
}

/** apt with lists of its own, because the machine's configuration seldom asks for sources. */
export class Packages {
  readonly #options: string[]

  private constructor(options: string[]) {
    this.#options = options
  }

  /** Reads the repositories of the machine, or those of a file in apt's deb822 format, with `state` for apt's lists. */
  static async open(state: string, sources?: string): Promise<Packages> {
    const parts = join(state, 'sources.d')
    for (const folder of [CACHE, parts, join(state, 'lists/partial'), join(state, 'archives/partial')])
      mkdirSync(folder, { recursive: true })
    const files = sources ? [sources] : globSync('/etc/apt/{sources.list,sources.list.d/*.{list,sources}}')
    for (const file of files)
      writeFileSync(join(parts, basename(file)), withSources(readFileSync(file, 'utf8')))
    const settings = {
      'Dir::Etc::sourcelist': '/dev/null',
      'Dir::Etc::sourceparts': parts,
      'Dir::State::Lists': join(state, 'lists'),
      'Dir::Cache::archives': join(state, 'archives'),
      'APT::Sandbox::User': 'root',
    }
    const packages = new Packages(
      Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    )
    // A repository without sources is an error of apt; what is missing in the end is noticed below.
    await packages.#apt('apt-get', ['update']).catch(() => {})
    return packages
  }

  /** Returns the majors whose source a repository has. */
  async majors(): Promise<number[]> {
    const { stdout } = await this.#apt('apt-cache', ['dumpavail'])
    const names = [...stdout.matchAll(/^Package: postgresql-(\d+)$/gm)].map((match) => Number(match[1]))
    return [...new Set(names)].sort((a, b) => a - b)
  }

  /** Downloads the source of a major, once, and unpacks what the tests of PostgreSQL need. */
  async release(major: number): Promise<Release> {
    const folder = join(CACHE, `source-${major}`)
    if (!existsSync(join(folder, 'done'))) {
      mkdirSync(folder, { recursive: true })
      await this.#downloadSource(`postgresql-${major}`, folder)
      const [archive] = globSync('*.orig.tar.*', { cwd: folder })
      const wanted = ['*/src/test/regress', '*/src/bin/pg_dump/t']
      await run('tar', ['-xf', archive!, '--wildcards', ...wanted], { cwd: folder })
      writeFileSync(join(folder, 'done'), '')
    }
    const name = readdirSync(folder, { withFileTypes: true }).find((entry) => entry.isDirectory())!.name
    return { major, version: name.replace('postgresql-', ''), source: join(folder, name) }
  }

  /** Returns the folder with the server's headers, or null where no repository has the package. */
  async headers(major: number): Promise<string | null> {
    const folder = join(CACHE, `headers-${major}`)
    const place = join(folder, `usr/include/postgresql/${major}/server`)
    if (existsSync(place)) return place
    mkdirSync(folder, { recursive: true })
    try {
      await this.#apt('apt-get', ['download', `postgresql-server-dev-${major}`], folder)
    } catch {
      return null
    }
    const [archive] = globSync('*.deb', { cwd: folder })
    await run('dpkg', ['-x', archive!, '.'], { cwd: folder })
    return place
  }

  /** Takes the newest version that can be had: a mirror may list one that it does not hold. */
  async #downloadSource(name: string, folder: string): Promise<void> {
    const { stdout } = await this.#apt('apt-cache', ['showsrc', name])
    const versions = new Set([...stdout.matchAll(/^Version: (\S+)$/gm)].map((match) => match[1]!))
    const errors: unknown[] = []
    for (const version of versions) {
      try {
        await this.#apt('apt-get', ['source', '--download-only', `${name}=${version}`], folder)
        return
      } catch (error) {
        errors.push(error)
      }
    }
    throw new AggregateError(errors, `The source of ${name} cannot be downloaded`)
  }

  #apt(program: string, args: string[], cwd = CACHE) {
    return run(program, [...this.#options, '-qq', ...args], { cwd, maxBuffer: 1 << 30 })
  }
}

/** Asks for sources beside the packages. */
function withSources(text: string): string {
  return text
    .replaceAll(/^Types:.*$/gm, 'Types: deb deb-src')
    .replaceAll(/^deb (.*)$/gm, 'deb $1\ndeb-src $1')
}

/** Copies the tests to where the server's user can read them, and write the results that some of them write. */
export function copyTests(release: Release, folder: string): string {
  const place = join(folder, 'regress')
  cpSync(join(release.source, 'src/test/regress'), place, { recursive: true })
  return place
}
