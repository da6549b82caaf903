import { parsePath } from '../process/user-path.ts'
import { parseChoice } from './parse.ts'
import type { Reader } from './reader.ts'

const LARGE_OBJECTS = ['drop', 'keep'] as const

/** The inputs about masks. */
export type MaskInputs = Readonly<{
  /** The path of the mask file, or empty. */
  mask: string
  /** Empty if each run has a key of its own. */
  maskKey: string
  /** What becomes of large objects in a masked dump. Null if it is not given. */
  largeObjects: (typeof LARGE_OBJECTS)[number] | null
  leakScan: boolean
  requireMasked: boolean
}>

/** Reads the inputs about masks. */
export function readMasking(reader: Reader): MaskInputs {
  return {
    mask: reader.read('mask', parsePath, ''),
    maskKey: reader.text('mask-key'),
    largeObjects: reader.read('large-objects', (text) => parseChoice(text, LARGE_OBJECTS), null),
    leakScan: reader.read('leak-scan', (text) => parseChoice(text, ['on', 'off']), 'on') === 'on',
    requireMasked: reader.boolean('require-masked'),
  }
}
