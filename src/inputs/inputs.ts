import { availableParallelism } from 'node:os'
import { type Connection, isDistant } from '../database/connection/connection.ts'
import type { Environment } from '../process/environment.ts'
import { type AwsInputs, readAws } from './aws-inputs.ts'
import type { NamedSet } from './config-file.ts'
import { type ContentInputs, readContents } from './content-inputs.ts'
import { type DatabaseInputs, readDatabases } from './database-inputs.ts'
import { type EncryptionInputs, readEncryption } from './encryption-inputs.ts'
import { type HookInputs, readHooks } from './hook-inputs.ts'
import { type LimitInputs, readLimits } from './limit-inputs.ts'
import { type MaskInputs, readMasking } from './mask-inputs.ts'
import {
  type Compression,
  parseChoice,
  parseCompression,
  parseDuration,
  parseInteger,
  parseServerDuration,
} from './parse.ts'
import { parsePingUrl } from './ping-url.ts'
import { type PreviewInputs, readPreviews } from './preview-inputs.ts'
import type { Reader } from './reader.ts'
import { readStorage, type StorageInputs } from './storage-inputs.ts'
import { readTarget, type TargetInputs } from './target-inputs.ts'
import { readTools, type ToolInputs } from './tool-inputs.ts'

export const COMMANDS = ['dump', 'restore', 'list', 'verify', 'copy', 'drop', 'prune', 'diff'] as const
export type Command = (typeof COMMANDS)[number]

/** Every input of the step, parsed and checked. `null` and empty mean "not given". */
export type Inputs = StepInputs &
  DatabaseInputs &
  StorageInputs &
  AwsInputs &
  ContentInputs &
  MaskInputs &
  EncryptionInputs &
  HookInputs &
  TargetInputs &
  LimitInputs &
  PreviewInputs &
  ToolInputs

/** The inputs about the step as a whole. */
type StepInputs = Readonly<{
  command: Command
  instance: string
  config: string
  /** The set of `config-file` that provides the inputs that the step does not set. */
  namedSet: NamedSet | null
  dumpKey: string
  local: boolean
  dryRun: boolean
  jobs: number
  compression: Compression
  /** Milliseconds. */
  idleTimeout: number
  /** Milliseconds. */
  lockWaitTimeout: number
  /** Attempts after the first. */
  retries: number
  /** The monitor that is told how the step goes; a secret. */
  pingUrl: string | null
  summary: boolean
}>

/** Reads every input. Mistakes are collected in `reader.problems`, and the value of such an input is a placeholder. */
export function readFields(reader: Reader, environment: Environment, namedSet: NamedSet | null): Inputs {
  const databases = readDatabases(reader, environment)
  const jobs = (text: string) => parseJobs(text, [databases.connection, databases.sourceConnection])
  return {
    ...databases,
    ...readStorage(reader),
    ...readAws(reader),
    ...readContents(reader),
    ...readMasking(reader),
    ...readEncryption(reader, environment),
    ...readHooks(reader),
    ...readTarget(reader),
    ...readLimits(reader),
    ...readPreviews(reader),
    ...readTools(reader),
    command: reader.read('command', (text) => parseChoice(text, COMMANDS), 'dump'),
    instance: reader.text('instance'),
    config: reader.text('config'),
    namedSet,
    dumpKey: reader.text('dump-key'),
    local: reader.boolean('local'),
    dryRun: reader.boolean('dry-run'),
    jobs: reader.read('jobs', jobs, 1),
    compression: reader.read('compression', parseCompression, { method: 'auto', level: null }),
    idleTimeout: reader.read('idle-timeout', parseDuration, 0),
    lockWaitTimeout: reader.read('lock-wait-timeout', parseServerDuration, 0),
    retries: reader.read('retries', (text) => parseInteger(text, { min: 0, max: 10 }), 0),
    pingUrl: reader.read('ping-url', parsePingUrl, null),
    summary: reader.boolean('summary'),
  }
}

/** Jobs that wait for a network and for another machine, more than they use this one. */
const JOBS_WITH_DISTANT_SERVER = 4

/** Reads a number of jobs; `auto` is the number of cores of the runner, and no less than four if a server is elsewhere. */
function parseJobs(text: string, connections: readonly (Connection | null)[]): number {
  if (text !== 'auto') return parseInteger(text, { min: 1, max: 64 })
  const distant = connections.some((connection) => connection !== null && isDistant(connection))
  return Math.max(availableParallelism(), distant ? JOBS_WITH_DISTANT_SERVER : 1)
}
