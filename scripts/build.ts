/**
 * Bundles src/index.ts and what it imports into dist/ with ncc.
 * With `--check`, builds beside it and fails unless dist/ is identical to the fresh build and starts.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))

/** tsc emits JavaScript, ncc bundles it; the folder's name ends up in the bundle. The types are checked by `npm run check`, over more than src/. */
function build(folder: string): void {
  const emitted = join(root, 'build')
  const run = (...args: string[]) =>
    execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  try {
    run('node_modules/typescript/bin/tsc', '--project', 'tsconfig.build.json', '--outDir', emitted)
    rmSync(folder, { recursive: true, force: true })
    const ncc = 'node_modules/@vercel/ncc/dist/ncc/cli.js'
    run(
      ncc,
      'build',
      join(emitted, 'src/index.js'),
      '--out',
      folder,
      '--target',
      'es2024',
      '--license',
      'licenses.txt',
      '--no-cache',
    )
  } finally {
    rmSync(emitted, { recursive: true, force: true })
  }
}

function difference(fresh: string, committed: string): string | null {
  const names = readdirSync(fresh).sort()
  if (names.join() !== readdirSync(committed).sort().join()) return 'holds other files than a fresh build'
  const changed = names.find(
    (name) => !readFileSync(join(fresh, name)).equals(readFileSync(join(committed, name))),
  )
  return changed ? `differs from a fresh build in ${changed}` : null
}

const dist = join(root, 'dist')
if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'pgclone-build-'))
  build(fresh)
  const problem = difference(fresh, dist)
  rmSync(fresh, { recursive: true })
  if (problem) {
    console.error(`dist/ ${problem}: run "npm run build"`)
    process.exitCode = 1
  }
} else {
  build(dist)
}
