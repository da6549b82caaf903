import { NOT_COVERED, SCENARIOS } from '../../lab/failure-scenarios.ts'

export type TestResult = { name: string; passed: boolean }
/** How many bad inputs were tried, and how often each victim was killed during each operation. */
export type Counts = { inputs: number; crashes: { during: string; victims: Map<string, number> }[] }

/** The page, from the results of this run. */
export function page(results: {
  naive: Map<number, string>
  tests: readonly TestResult[]
  counts: Counts
}): string {
  const { naive, tests, counts } = results
  const passed = tests.filter((test) => test.passed).length
  const rows = Object.entries(SCENARIOS).map(([number, [trigger, ours]]) => {
    const own = tests.filter(({ name }) => name.includes(`#${number.padStart(2, '0')} `))
    const result =
      own.length === 0 ? 'not run' : own.every((test) => test.passed) ? `${own.length} passed` : 'FAILED'
    return `| ${number} | ${trigger} | ${cell(naive.get(Number(number)) ?? 'not played')} | ${ours} | ${result} |`
  })
  return `${[
    HEAD,
    `${number(passed)} of ${number(tests.length)} tests passed, with faults in proxies, signals, file systems, stores and servers. ${counted(counts)}`,
    '',
    '## Scenarios',
    '',
    BY_HAND,
    '',
    '| # | What happens | A pipeline written by hand | This action | Tests |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    ...crashTable(counts),
    '',
    '## What is not covered',
    '',
    ...NOT_COVERED.map((gap) => `- ${gap}`),
    '',
    '## Tests',
    '',
    ...tests.map(({ name, passed }) => `- ${cell(name)}${passed ? '' : ': **failed**'}`).sort(),
  ].join('\n')}\n`
}

const HEAD = `<!-- Written by "npm run reliability". -->
# Reliability

[← README](../README.md) · [all pages](README.md)

What goes wrong with dumps and restores is known. Each scenario below is made to happen, with real PostgreSQL servers, the
real \`pg_dump\`, \`pg_restore\`, \`psql\` and AWS CLI, and the action exactly as GitHub runs it. After each of them:

1. The step failed with a reason, or its result is proven by comparing hashes.
2. An incomplete dump is never taken for a complete one.
3. The target is the old database or the new one, never a mix.
4. No upload, staging database, temporary file or program is left, or it is marked and the next run removes it.
5. No secret and no row of a table appears in any output.

\`npm test\` runs the tests; \`npm run test:crash -- --rounds 500\` keeps killing for as long as you like; \`npm run reliability\`
writes this page.
`

const BY_HAND = `The pipelines by hand are \`pg_dump -Fc | aws s3 cp - s3://…\` and
\`aws s3 cp s3://… - | pg_restore --clean --if-exists --dbname=live\` in bash as people write them, run with the same faults
on the same machine. The table shows what they did.`

/** Text of a program in a cell of a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function counted({ inputs, crashes }: Counts): string {
  const kills = sum(crashes.flatMap(({ victims }) => [...victims.values()]))
  return `${number(kills)} processes were killed at random moments. ${number(inputs)} bad inputs were tried.`
}

const VICTIMS: Readonly<Record<string, string>> = {
  action: 'The action',
  runner: 'The runner, with everything on it',
  pg_dump: '`pg_dump`',
  pg_restore: '`pg_restore`',
  psql: '`psql`',
  aws: 'The AWS CLI',
  server: 'The PostgreSQL server',
}

/** How often each victim was killed during each operation; empty where an operation does not need it. */
function crashTable({ crashes }: Counts): string[] {
  const cells = (victim: string) => crashes.map(({ victims }) => victims.get(victim) ?? '')
  return [
    '## Crashes',
    '',
    'How often a program was killed (`kill -9`) at a random moment of a step; the five properties held after one sweep.',
    '',
    `| Killed | ${crashes.map(({ during }) => during).join(' | ')} |`,
    `|---|${'---|'.repeat(crashes.length)}`,
    ...Object.entries(VICTIMS).map(([victim, name]) => `| ${name} | ${cells(victim).join(' | ')} |`),
  ]
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

function number(count: number): string {
  return count.toLocaleString('en')
}
