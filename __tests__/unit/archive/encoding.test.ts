import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decoderOf } from '../../../src/archive/encoding.ts'

const samples: [string, number[], string][] = [
  ['UTF8', [0x6c, 0xc3, 0xb6, 0x68], 'löh'],
  ['LATIN1', [0x6c, 0xf6, 0x68, 0x80], 'löh\u0080'],
  ['LATIN2', [0xb1], 'ą'],
  ['LATIN9', [0xa4], '€'],
  ['LATIN10', [0xaa], 'Ș'],
  ['EUC_JP', [0xc9, 0xbd, 0xa4, 0xa2, 0x8e, 0xb1], '表あｱ'],
  ['EUC_KR', [0xb0, 0xa1], '가'],
  ['EUC_CN', [0xd6, 0xd0], '中'],
  ['KOI8R', [0xc1], 'а'],
  ['WIN1251', [0xe0], 'а'],
  ['ISO_8859_8', [0xe0], 'א'],
  // An encoding that PostgreSQL does not know, or that JavaScript does not know, keeps names different.
  ['SQL_ASCII', [0x6c, 0xc3, 0xb6], 'lö'],
  ['SQL_ASCII', [0x6c, 0xf6], 'lö'],
  ['MULE_INTERNAL', [0x81, 0xf6], '\u0081ö'],
]

for (const [encoding, bytes, text] of samples) {
  test(`${encoding} decodes ${JSON.stringify(text)}`, () => {
    assert.equal(decoderOf(encoding)(Buffer.from(bytes)), text)
  })
}

test('a string that is missing is empty', () => {
  for (const encoding of [null, 'UTF8', 'LATIN1', 'LATIN2']) assert.equal(decoderOf(encoding)(null), '')
})
