import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto'
import { isIPv4 } from 'node:net'

/**
 * Makes a self-signed certificate for an IPv4 address or a host name, so that the repository holds no private key and no
 * openssl is needed. The few ASN.1 structures are written by hand (RFC 5280).
 */
export function selfSignedCertificate(host: string): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(oid('2a8648ce3d040302')) // ecdsa-with-SHA256
  const name = sequence(
    tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from('pgclone test bench')))),
  )
  const serial = tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)]))
  const validity = sequence(time('20200101000000Z'), time('20991231235959Z'))
  const key = publicKey.export({ type: 'spki', format: 'der' })
  const version = tagged(0xa0, tagged(0x02, Buffer.from([2])))
  const parts = [version, serial, algorithm, name, validity, name, key, extensions(host, key)]
  const unsigned = sequence(...parts)
  const signature = createSign('sha256').update(unsigned).sign(privateKey)
  const certificate = sequence(unsigned, algorithm, bitString(signature))
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: pem(certificate) }
}

/** The host as subjectAltName, and that the certificate may vouch for itself, as strict as Python 3.13 wants it. */
function extensions(host: string, publicKey: Buffer): Buffer {
  const name = isIPv4(host)
    ? tagged(0x87, Buffer.from(host.split('.').map(Number)))
    : tagged(0x82, Buffer.from(host, 'ascii'))
  const yes = tagged(0x01, Buffer.from([0xff]))
  // digitalSignature and keyCertSign, the bits 0 and 5 of six.
  const usage = tagged(0x03, Buffer.from([2, 0b1000_0100]))
  const keyIdentifier = createHash('sha1').update(publicKey).digest()
  return tagged(
    0xa3,
    sequence(
      sequence(oid('551d13'), yes, octets(sequence(yes))), // basicConstraints
      sequence(oid('551d0f'), yes, octets(usage)),
      sequence(oid('551d0e'), octets(octets(keyIdentifier))),
      sequence(oid('551d11'), octets(sequence(name))), // subjectAltName
    ),
  )
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: Buffer[]) => tagged(0x30, Buffer.concat(parts))
const oid = (hex: string) => tagged(0x06, Buffer.from(hex, 'hex'))
const octets = (content: Buffer) => tagged(0x04, content)
const bitString = (content: Buffer) => tagged(0x03, Buffer.concat([Buffer.from([0]), content]))
/** UTCTime up to 2049, GeneralizedTime after it. */
const time = (text: string) =>
  text < '2050' ? tagged(0x17, Buffer.from(text.slice(2))) : tagged(0x18, Buffer.from(text))

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g)!
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
