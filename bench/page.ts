import { type Contest, type Result, ratioOf } from './contest.ts'
import { median } from './measure.ts'
import { judge, judgeMemory, type Outcome, TARGETS, type Verdict } from './targets.ts'
import type { Versions } from './world.ts'

/** A whole run. */
export type Run = { machine: { model: string; cores: number }; versions: Versions; outcomes: Outcome[] }

/** Puts a run into the page, between its two marks. */
export function writtenPage(page: string, run: Run, notes: Readonly<Record<string, string>>): string {
  const marks = /(<!-- results -->)[\s\S]*(<!-- \/results -->)/
  if (!marks.test(page)) throw new Error('The page has no <!-- results --> … <!-- /results -->')
  return page.replace(marks, (_, begin, end) => `${begin}\n\n${describeRun(run, notes)}\n\n${end}`)
}

/** The part of the page that a run writes, in Markdown. */
export function describeRun(run: Run, notes: Readonly<Record<string, string>>): string {
  const { machine, versions, outcomes } = run
  const { client, server, aws, pgcopydb, node } = versions
  const programs = [
    `PostgreSQL ${server}, client ${client}`,
    `\`${aws}\` for every row`,
    pgcopydb ? `\`${pgcopydb}\`` : 'pgcopydb is not installed and left out',
    `Node.js ${node}`,
  ]
  const headlines = outcomes.flatMap(({ headline }) => headline ?? []).map((sentence) => `- ${sentence}`)
  return [
    `Measured on ${machine.cores} cores (${machine.model}). ${programs.join('; ')}.`,
    '### In one sentence each',
    headlines.join('\n'),
    '### Targets',
    describeTargets(outcomes, notes),
    ...outcomes.flatMap(({ title, results }) => [`### ${title}`, describeResults(results)]),
  ].join('\n\n')
}

/** A sentence for users, such as: A dump of 1 GB to S3 takes 0.60 times as long as `pg_dump -Fc | aws s3 cp`. */
export function headlineOf({ headline }: Contest, results: readonly Result[]): string | null {
  const ours = results.find(({ name }) => name === headline?.ours)
  const peer = results.find(({ name }) => name === headline?.peer)
  if (!headline || !ours || !peer) return null
  const ratio = ratioOf(ours, peer)
  const other = peer.ours ? `with one connection` : `with \`${peer.name}\``
  const seconds = `${median(ours.seconds).toFixed(1)} s instead of ${median(peer.seconds).toFixed(1)} s`
  if (Math.abs(ratio - 1) < 0.05) return `${headline.what} takes as long as ${other} (${seconds}).`
  return ratio < 1
    ? `${headline.what} is ${(1 / ratio).toFixed(2)} times as fast as ${other} (${seconds}).`
    : `${headline.what} takes ${ratio.toFixed(2)} times as long as ${other} (${seconds}).`
}

function describeTargets(outcomes: readonly Outcome[], notes: Readonly<Record<string, string>>): string {
  const verdicts = [...TARGETS.map((target) => judge(target, outcomes)), judgeMemory(outcomes)]
  const rows = verdicts
    .filter((verdict) => verdict !== null)
    .map((verdict) => {
      const { work, target, measured } = verdict
      return `| ${work} | ${target} | ${measured} | ${describeVerdict(verdict, notes)} |`
    })
  return ['| Work | Target | Measured | |', '|---|---|---:|---|', ...rows].join('\n')
}

function describeVerdict({ met, work }: Verdict, notes: Readonly<Record<string, string>>): string {
  if (met) return 'met'
  const note = notes[work]
  return note === undefined ? 'missed' : `missed, because ${note}`
}

/** A table of the contenders, with the processor time of each program in its last round. */
function describeResults(results: readonly Result[]): string {
  const mega = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
  const rows = results.map((result) => {
    const { name, ours, seconds, size, ownPeak, treePeak } = result
    const cells = [
      ...[name.replaceAll('|', '\\|'), `${median(seconds).toFixed(2)} s`, spread(seconds)],
      ...[ratioOf(result, results[0]!).toFixed(2), size === null ? '' : mega(size)],
      ...[ours ? mega(ownPeak) : '', mega(treePeak), describeProcessor(result)],
    ]
    return `| ${cells.join(' | ')} |`
  })
  const head = ['', 'Median', 'Min–max', 'Ratio', 'Stored', 'Peak of ours', 'Peak of all', 'Processor']
  return [`| ${head.join(' | ')} |`, '|---|---:|---:|---:|---:|---:|---:|---|', ...rows].join('\n')
}

function spread(seconds: readonly number[]): string {
  return seconds.length === 1 ? '' : `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`
}

/** Programs that took less are not named. */
const MIN_PROCESSOR_SECONDS = 0.1

function describeProcessor({ processor }: Result): string {
  return Object.entries(processor)
    .filter(([, seconds]) => seconds >= MIN_PROCESSOR_SECONDS)
    .sort(([, a], [, b]) => b - a)
    .map(([program, seconds]) => `${program} ${seconds.toFixed(1)}`)
    .join(', ')
}
