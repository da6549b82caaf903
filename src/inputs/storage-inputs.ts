import { type Location, parseEndpoint, parseLocation, parseS3Config } from './location.ts'
import { parseChoice, parseInteger, parseWord } from './parse.ts'
import type { Reader } from './reader.ts'

const CHECKSUM_MODES = ['auto', 'when-supported', 'when-required'] as const
const ENCRYPTIONS = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const

/** The inputs about the place of the dumps. */
export type StorageInputs = Readonly<{
  location: Location
  s3Config: Readonly<Record<string, string>>
  s3EndpointUrl: string | null
  s3Checksum: (typeof CHECKSUM_MODES)[number]
  s3StorageClass: string
  /** How the store encrypts, or empty. */
  s3Sse: (typeof ENCRYPTIONS)[number] | ''
  s3SseKmsKeyId: string
  s3MaxParts: number
}>

/** Reads the inputs about the place of the dumps. */
export function readStorage(reader: Reader): StorageInputs {
  const location = reader.read('storage-location', parseLocation, null)
  return {
    location: location ?? { kind: 'folder', path: '' },
    s3Config: reader.read('s3-config', parseS3Config, {}),
    s3EndpointUrl: reader.read('s3-endpoint-url', (text) => parseEndpoint(text, location), null),
    s3Checksum: reader.read('s3-checksum', (text) => parseChoice(text, CHECKSUM_MODES), 'auto'),
    s3StorageClass: reader.read('s3-storage-class', (text) => parseWord(text), ''),
    s3Sse: reader.read('s3-sse', (text) => parseChoice(text, ENCRYPTIONS), ''),
    s3SseKmsKeyId: reader.read('s3-sse-kms-key-id', (text) => parseWord(text), ''),
    s3MaxParts: reader.read('s3-max-parts', (text) => parseInteger(text, { min: 1, max: 10_000 }), 10_000),
  }
}
