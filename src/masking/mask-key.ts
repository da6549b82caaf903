import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Connection } from '../database/connection/connection.ts'
import { DatabaseError, type Session } from '../database/connection/session.ts'
import { mask } from '../report/secrets.ts'
import { hmac, INNER, OUTER } from './keyed-hash.ts'

const BLOCK_BYTES = 64
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

/** A key as HMAC uses it (RFC 2104). Each of the blocks is as secret as the key. */
export type MaskKey = {
  inner: string
  outer: string
  /** Tells keys apart without showing them. */
  id: string
}

/** Prepares a key, and hides what could replace it in everything that is written. */
export function maskKey(secret: string): MaskKey {
  const bytes = Buffer.from(secret)
  const short = bytes.length > BLOCK_BYTES ? createHash('sha256').update(bytes).digest() : bytes
  const padded = Buffer.concat([short, Buffer.alloc(BLOCK_BYTES - short.length)])
  const block = (pad: number) => Buffer.from(padded.map((byte) => byte ^ pad)).toString('hex')
  const key = {
    inner: block(INNER_PAD),
    outer: block(OUTER_PAD),
    id: createHmac('sha256', bytes).update(`\0${ID}`).digest('hex').slice(0, 16),
  }
  mask([key.inner, key.outer])
  return key
}

/** Returns a key for one run: equal values get equal masks in this dump, and other ones in the next. */
export function randomMaskKey(): MaskKey {
  return maskKey(randomBytes(32).toString('hex'))
}

/** What is hashed for the id of a key. No text of a database contains a zero byte, so it is not the mask of one. */
const ID = '\0pgclone-action'

/**
 * Returns the connection with the key in its start packet. A setting in a statement would be in the server's log and in
 * `pg_stat_activity`; the server logs no options of a start packet, and shows them only to the session itself.
 */
export function withMaskKey(connection: Connection, key: MaskKey): Connection {
  const { PGOPTIONS = '', ...others } = connection.variables
  const options = `${PGOPTIONS} -c ${INNER}=${key.inner} -c ${OUTER}=${key.outer}`.trim()
  return { ...connection, variables: { ...others, PGOPTIONS: options } }
}

/**
 * Checks that a session has the key and computes with it as this program does. The statement shows a hash of the key only.
 *
 * @throws an Error if it has not, which a pooler or a service file can cause
 */
export async function checkMaskKey(session: Session, key: MaskKey, label: string): Promise<void> {
  const computed = `pg_catalog.encode(${hmac('', `'\\x${Buffer.from(ID).toString('hex')}'::pg_catalog.bytea`)}, 'hex')`
  const rows = await session.query<{ id: string }>(`SELECT ${computed} AS id`).catch((error: unknown) => {
    if (error instanceof DatabaseError && error.sqlstate === UNDEFINED_OBJECT) return []
    throw error
  })
  if (rows[0]?.id.startsWith(key.id)) return
  throw new Error(
    `mask cannot be used with ${label}: the key did not arrive with the connection, because a connection pooler or a service file replaces its "options"; use the direct host of the database and a service without options`,
  )
}

/** SQLSTATE of a setting that does not exist. */
const UNDEFINED_OBJECT = '42704'
