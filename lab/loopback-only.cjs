/**
 * Loaded into Node processes of tests (`--require`), in CommonJS so that a start costs nothing: a connection or a look-up
 * that leaves the machine is noted in the file that PGCLONE_LAB_OUTSIDE names, and refused.
 */
const { appendFileSync } = require('node:fs')
const { Socket } = require('node:net')

const note = process.env.PGCLONE_LAB_OUTSIDE
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|(.*\.)?localhost)$/i

const connect = Socket.prototype.connect
Socket.prototype.connect = function (...args) {
  // The arguments are those of net.connect(), or already put in order by it.
  const [first] = Array.isArray(args[0]) ? args[0] : args
  const isOptions = first !== null && typeof first === 'object'
  const path = isOptions ? first.path : Number.isNaN(Number(first)) ? first : undefined
  const host = (isOptions ? first.host : typeof args[1] === 'string' ? args[1] : undefined) ?? 'localhost'
  if (!note || path || LOOPBACK.test(host)) return connect.apply(this, args)
  // No resolver may know these names (RFC 6761); asking one would reach beyond loopback all the same.
  const isInvalid = host.endsWith('.invalid')
  if (!isInvalid) appendFileSync(note, `Node connected to ${host}\n`)
  const code = isInvalid ? 'ENOTFOUND' : 'ENETUNREACH'
  process.nextTick(() => this.destroy(Object.assign(new Error(`connect ${code} ${host}`), { code })))
  return this
}
