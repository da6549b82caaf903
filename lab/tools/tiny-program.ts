/** The smallest x86-64 Linux program that prints a text: a header, one segment, write(1, …), exit(0). */
export function programPrinting(text: string, machine = 62): Buffer {
  const [base, start] = [0x400000, 120]
  const header = Buffer.alloc(start)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(2, 16)
  header.writeUInt16LE(machine, 18)
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(BigInt(base + start), 24)
  header.writeBigUInt64LE(64n, 32)
  header.writeUInt16LE(64, 52)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(1, 56)
  // One readable and executable segment: the whole file.
  header.writeUInt32LE(1, 64)
  header.writeUInt32LE(5, 68)
  header.writeBigUInt64LE(BigInt(base), 80)
  const code = Buffer.from('b801000000bf01000000be00000000ba000000000f05b83c00000031ff0f05', 'hex')
  code.writeUInt32LE(base + start + code.length, 11)
  code.writeUInt32LE(Buffer.byteLength(text), 16)
  const size = BigInt(start + code.length + Buffer.byteLength(text))
  header.writeBigUInt64LE(size, 96)
  header.writeBigUInt64LE(size, 104)
  header.writeBigUInt64LE(0x1000n, 112)
  return Buffer.concat([header, code, Buffer.from(text)])
}
