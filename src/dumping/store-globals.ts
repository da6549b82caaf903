import { createHash } from 'node:crypto'
import { formatGlobals } from '../database/globals-file.ts'
import { readGlobals } from '../database/roles.ts'
import { lookAtServer } from '../database/server.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import { globalsKey } from '../storage/keys.ts'
import type { Manifest } from '../storage/manifest.ts'

/** Returns the roles of the server as the text that is stored beside the dump; null unless `globals` asks for them. */
export async function readGlobalsText(step: Step): Promise<string | null> {
  if (!step.inputs.globals) return null
  await using session = await step.session(step.target, { direct: true })
  const globals = await readGlobals(session, await lookAtServer(session))
  const { roles, memberships } = globals
  log.info(
    `Roles of the server: ${formatQuantity(roles.length, 'role')}, ${formatQuantity(memberships.length, 'membership')}, without passwords`,
  )
  return formatGlobals(globals)
}

/** Returns what the manifest of a dump says of its roles. */
export function describeGlobals(key: string, text: string | null): Pick<Manifest, 'globals'> {
  if (text === null) return {}
  const sha256 = createHash('sha256').update(text).digest('hex')
  return { globals: { key: globalsKey(key), size: Buffer.byteLength(text), sha256 } }
}
