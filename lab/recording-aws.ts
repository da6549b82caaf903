import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { tempFolder } from './temp.ts'

/** A call of the AWS CLI. Times count starts and ends, in the order in which they were noted. */
export type AwsCall = {
  /** What it was asked for, such as `s3api head-object`, with the last part of the key. */
  what: string
  started: number
  /** Infinity when it was killed, or still runs. */
  ended: number
}

/** Calls that are made at once: each, named by its first words, is held until `count` of them have started. */
export type Together = { calls: readonly string[]; count: number }

/** How long a call is held for another that does not come, in tenths of a second. */
const HELD_AT_MOST = 300

/**
 * Puts a program in front of a real AWS CLI that notes the start and the end of each call. So that the order does not depend
 * on the speed of the machine, it can hold calls that are made at once until all of them have started.
 *
 * @param official whether the program is where the official installer would put it
 */
export function recordingAws(
  real: { path: string; version: string },
  {
    official,
    together,
  }: { official: boolean; together: readonly { calls: readonly string[]; count: number }[] },
) {
  const folder = tempFolder('recording-aws')
  const home = official ? join(folder.path, 'aws-cli/v2', real.version, 'dist') : join(folder.path, 'bin')
  const record = join(folder.path, 'record')
  mkdirSync(home, { recursive: true })
  const holds = together.map(({ calls, count }) => {
    const pattern = calls.map((call) => `"${call} "*`).join(' | ')
    const counted = `grep -cE '^start [0-9]+ (${calls.join('|')}) ' "$record"`
    return `${pattern}) i=0; while [ "$(${counted})" -lt ${count} ] && [ $i -lt ${HELD_AT_MOST} ]; do sleep 0.1; i=$((i+1)); done ;;`
  })
  const script = [
    '#!/bin/sh',
    `record='${record}'`,
    'echo "start $$ $* " >> "$record"',
    'case "$* " in',
    ...holds,
    'esac',
    // The shell gives a program in the background no input of its own accord.
    'exec 3<&0',
    `'${real.path}' "$@" <&3 3<&- &`,
    'exec 3<&-',
    "trap 'kill -TERM $!' TERM",
    "trap 'kill -INT $!' INT",
    'wait $!',
    'code=$?',
    'echo "end $$" >> "$record"',
    'exit $code',
  ]
  const program = join(home, 'aws')
  writeFileSync(program, `${script.join('\n')}\n`)
  chmodSync(program, 0o755)
  const others = (process.env.PATH ?? '').split(delimiter).filter((path) => !existsSync(join(path, 'aws')))
  return {
    /** For the environment of the step: the only AWS CLI there. */
    path: [home, ...others].join(delimiter),
    calls: () => (existsSync(record) ? readCalls(readFileSync(record, 'utf8')) : []),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

function readCalls(record: string): AwsCall[] {
  const calls = new Map<string, AwsCall>()
  for (const [time, line] of record.trim().split('\n').entries()) {
    const [event, pid = '', ...words] = line.split(' ')
    if (event === 'start') calls.set(pid, { what: describe(words), started: time, ended: Infinity })
    else calls.get(pid)!.ended = time
  }
  return [...calls.values()]
}

/** Names a call by its first words and what it is about. */
function describe(words: readonly string[]): string {
  if (words[0] === '--version') return '--version'
  const [service, operation, ...rest] = words
  const key = rest.find((word) => /\.dump(\.json)?$/.test(word))
  const kind = key ? (key.endsWith('.json') ? ' manifest' : ' data') : ''
  return `${service} ${operation}${kind}`
}

/** Returns how many calls, ended one after the other, came before a call, and itself. */
export function inARow(calls: readonly AwsCall[], call: AwsCall): number {
  const before = calls.filter(({ ended }) => ended < call.started)
  return 1 + Math.max(0, ...before.map((earlier) => inARow(calls, earlier)))
}
