import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import * as core from '@actions/core'
import type { Inputs } from '../inputs/inputs.ts'
import { readInputs } from '../inputs/read-inputs.ts'
import type { Environment } from '../process/environment.ts'

const STATE = 'inputs'
const SALT_BYTES = 16
const HASH_BYTES = 32

const hash = promisify<string, Buffer, number, Buffer>(scrypt)

/**
 * Records in the main step which inputs it works with. The state is a file in clear, so it gets a salted slow hash, from
 * which no password can be found.
 */
export async function recordInputs(inputs: Inputs): Promise<void> {
  const salt = randomBytes(SALT_BYTES)
  const digest = await hash(JSON.stringify(inputs), salt, HASH_BYTES)
  core.saveState(STATE, Buffer.concat([salt, digest]).toString('base64'))
}

/**
 * Reads the inputs in the post step, by when other steps may have changed the config file or the variables that inputs
 * come from.
 *
 * @returns null when they are not those of the main step
 */
export async function readInputsOfMain(environment: Environment): Promise<Inputs | null> {
  const recorded = Buffer.from(core.getState(STATE), 'base64')
  if (recorded.length !== SALT_BYTES + HASH_BYTES) return null
  const inputs = readable(environment)
  if (!inputs) return null
  const salt = recorded.subarray(0, SALT_BYTES)
  const digest = await hash(JSON.stringify(inputs), salt, HASH_BYTES)
  return timingSafeEqual(digest, recorded.subarray(SALT_BYTES)) ? inputs : null
}

function readable(environment: Environment): Inputs | null {
  try {
    return readInputs(environment)
  } catch {
    return null
  }
}
