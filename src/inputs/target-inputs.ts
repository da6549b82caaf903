import { PROVIDER_NAMES } from '../database/restore/managed-services.ts'
import { readOverwrite } from './overwrite.ts'
import { parseChoice, parseExpressions, parseInteger } from './parse.ts'
import type { Reader } from './reader.ts'

const COPY_METHODS = ['auto', 'stream', 'template'] as const
const PROVIDERS = ['auto', 'none', ...PROVIDER_NAMES] as const

/** The inputs about the database that is made or replaced. */
export type TargetInputs = Readonly<{
  reversible: boolean
  swap: boolean
  ownerAndAcl: boolean
  createRoles: boolean
  tolerateErrors: readonly RegExp[]
  /** The managed provider whose rules apply to the restore. */
  provider: (typeof PROVIDERS)[number]
  protectedDatabases: readonly string[]
  overwrite: boolean
  /** Patterns of what a restore in place may take away although the dump does not have it. */
  overwriteNamed: readonly string[]
  /** Whether a new database gets the marker by which later steps may replace and drop it. */
  disposable: boolean
  force: boolean
  copyMethod: (typeof COPY_METHODS)[number]
  disconnectSource: boolean
  /** Number of template databases to keep; 0 creates none. */
  templateCache: number
}>

/** Reads the inputs about the database that is made or replaced. */
export function readTarget(reader: Reader): TargetInputs {
  return {
    reversible: reader.boolean('reversible'),
    swap: reader.boolean('swap'),
    ownerAndAcl: reader.boolean('owner-and-acl'),
    createRoles: reader.boolean('create-roles'),
    tolerateErrors: reader.read('tolerate-errors', parseExpressions, []),
    provider: reader.read('provider', (text) => parseChoice(text, PROVIDERS), 'auto'),
    protectedDatabases: reader.list('protected-databases'),
    ...readOverwrite(reader),
    disposable: reader.boolean('disposable'),
    force: reader.boolean('force'),
    copyMethod: reader.read('copy-method', (text) => parseChoice(text, COPY_METHODS), 'auto'),
    disconnectSource: reader.boolean('disconnect-source'),
    templateCache: reader.read('template-cache', (text) => parseInteger(text, { min: 0, max: 100 }), 0),
  }
}
