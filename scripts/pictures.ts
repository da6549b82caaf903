/**
 * `npm run pictures`: the pictures of the README, from a nightly backup that really runs on this machine: the built
 * Action, a PostgreSQL server, a local S3 store. Needs Chromium (on Debian: apt-get install chromium fonts-noto-color-emoji).
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Postgres, startPostgres } from '../lab/postgres/postgres.ts'
import { loadSample } from '../lab/postgres/sample.ts'
import { type ActionRun, runAction } from '../lab/runner/action.ts'
import { root } from '../lab/runner/action-inputs.ts'
import { startS3rver } from '../lab/s3/s3rver.ts'
import { tempFolder } from '../lab/temp.ts'
import { logPage, type Step, summaryPage } from './pictures/page.ts'

const CHROMIUM = process.env.CHROMIUM ?? 'chromium'
const IMAGES = join(root, 'docs/images')
const WIDTH = 880
/** Large enough for a dump that shows its progress. */
const SCALE = Number(process.env.SCALE ?? 10)

const runs = await backUp()
await using folder = tempFolder('pictures')
mkdirSync(IMAGES, { recursive: true })
for (const theme of ['light', 'dark'] as const) {
  draw(`summary-${theme}`, summaryPage('Summary of the job: backup', runs.dump.summary, theme))
  draw(`evidence-${theme}`, summaryPage('Summary of the job: restore drill', runs.verify.summary, theme))
  draw(`log-${theme}`, logPage(steps(), /^(Dump|Compare)/, theme))
}

/** A night's work: the second dump of a database that has grown, a verification, and a preview that fails. */
async function backUp(): Promise<Record<'dump' | 'verify' | 'refused', ActionRun>> {
  await using postgres = await startPostgres()
  await using s3 = await startS3rver({ bucket: 'acme-dumps' })
  const storage = {
    'storage-location': `s3://${s3.bucket}/shop/`,
    's3-endpoint-url': s3.endpoint,
    's3-config': s3.config,
    instance: 'prod',
    config: 'nightly',
  }
  const shop = { ...storage, 'database-url': postgres.url('shop') }
  await loadSample(postgres, 'shop', { scale: SCALE * 0.97 })
  await succeed({ command: 'dump', ...shop })
  await reload(postgres)
  const dump = await succeed({ command: 'dump', ...shop })
  const verify = await succeed({
    command: 'verify',
    'dump-key': dump.outputs['dump-key']!,
    'verify-sql': 'SELECT count(*) > 1000 FROM shop.orders',
    ...storage,
    'database-url': postgres.url('postgres'),
  })
  const refused = await runAction({ command: 'restore', 'dump-key': 'latest', ...shop })
  return { dump, verify, refused }
}

/** The same shop, a night later. */
async function reload(postgres: Postgres): Promise<void> {
  {
    await using session = await postgres.connect('postgres')
    await session.query('drop database shop')
  }
  await loadSample(postgres, 'shop', { scale: SCALE })
}

async function succeed(inputs: Record<string, string>): Promise<ActionRun> {
  const run = await runAction(inputs, { timeout: 600_000 })
  if (run.exitCode !== 0) throw new Error(run.log)
  return run
}

function steps(): Step[] {
  const step = (name: string, run: ActionRun): Step => ({ ...run, name, failed: run.exitCode !== 0 })
  return [
    step('Dump production', runs.dump),
    step('Verify the dump', runs.verify),
    step('Restore over production', runs.refused),
  ]
}

/** A page as a picture of its own height, sharp on dense screens. */
function draw(name: string, html: string): void {
  const page = join(folder.path, `${name}.html`)
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--hide-scrollbars',
    `--user-data-dir=${folder.path}/profile`,
  ]
  const chromium = (...args: string[]) =>
    execFileSync(CHROMIUM, [...flags, ...args, pathToFileURL(page).href], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 120_000,
    })
  writeFileSync(
    page,
    html.replace('</body>', '<script>document.title = document.body.offsetHeight</script></body>'),
  )
  const height = /<title>(\d+)<\/title>/.exec(chromium('--dump-dom', `--window-size=${WIDTH},800`))?.[1]
  chromium(
    `--screenshot=${join(IMAGES, `${name}.png`)}`,
    `--window-size=${WIDTH},${height}`,
    '--force-device-scale-factor=1.5',
  )
  console.log(`docs/images/${name}.png`)
}
