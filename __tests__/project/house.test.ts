/** What a reviewer would say about the sources as a whole. Lines of functions and cycles of files are rules of Biome, unused exports of knip. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { root } from '../../lab/runner/action-inputs.ts'

const sources = globSync('src/**/*.ts', { cwd: root }).sort()
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The folder of a source file below `src/`; a file in `src/` itself stands for itself. */
function folderOf(path: string): string {
  return relative('src', path).split('/')[0]!
}

/** Folders that a folder imports from, types included. */
function dependencies(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const path of sources) {
    const from = folderOf(path)
    for (const [, target] of read(path).matchAll(/^(?:import|export)\b[^']*? from '(\.[^']+)'/gm)) {
      const to = folderOf(join(dirname(path), target!))
      if (to !== from && !to.startsWith('..')) found.set(from, (found.get(from) ?? new Set()).add(to))
    }
  }
  return found
}

/** The first way from a folder back to itself. */
function cycleFrom(folder: string, graph: Map<string, Set<string>>, way: string[] = []): string[] | null {
  if (way.includes(folder)) return folder === way[0] ? [...way, folder] : null
  for (const next of graph.get(folder) ?? []) {
    const cycle = cycleFrom(next, graph, [...way, folder])
    if (cycle) return cycle
  }
  return null
}

test('no folder needs itself by way of another', () => {
  const graph = dependencies()
  assert.ok(graph.get('commands')!.size > 5)
  const cycles = [...graph.keys()].map((folder) => cycleFrom(folder, graph)?.join(' → ')).filter(Boolean)
  assert.deepEqual(cycles, [])
})

test('every exported function and class says what it is for', () => {
  const silent = sources.flatMap((path) => {
    const lines = read(path).split('\n')
    return lines.flatMap((line, index) => {
      const name = /^export (?:async )?(?:function\*?|class) (\w+)|^export const (\w+) = (?:async )?\(/
        .exec(line)
        ?.slice(1)
        .find(Boolean)
      return name && !lines[index - 1]!.trimEnd().endsWith('*/') ? [`${path}: ${name}`] : []
    })
  })
  assert.deepEqual(silent, [])
})

test('every unit test mirrors a source file, and needs neither a server nor a program', () => {
  const tests = globSync('__tests__/unit/**/*.ts', { cwd: root })
  assert.ok(tests.length > 40)
  // `archive.fuzz.test.ts` is an aspect of `archive.ts`.
  const source = (path: string) => path.replace('__tests__/unit', 'src').replace(/(\.\w+)?\.test\.ts$/, '.ts')
  const strays = tests.filter((path) => !path.endsWith('.test.ts') || !sources.includes(source(path)))
  assert.deepEqual(strays, [])
  const servers = /lab\/(postgres\/postgres|s3\/s3|s3\/s3rver|runner\/action|benches\/[\w-]+)\.ts'/
  assert.deepEqual(
    tests.filter((path) => servers.test(read(path))),
    [],
  )
})

test('nothing but tests imports from the folder of the tests, and the laboratory imports no script', () => {
  const outside = globSync('{src,lab,scripts,bench}/**/*.ts', { cwd: root })
  const tests = outside.filter((path) => /from '[^']*__tests__\//.test(read(path)))
  const scripts = outside.filter(
    (path) => path.startsWith('lab/') && /from '[^']*\/scripts\//.test(read(path)),
  )
  assert.deepEqual([...tests, ...scripts], [])
})

test('every file is one concept', () => {
  const long = sources.filter((path) => read(path).split('\n').length > 280)
  assert.deepEqual(long, [])
})
