import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Leak, LeakScan } from '../../../src/masking/leak-scan.ts'

/** The window of the scan is 64 KiB: texts of this length fill several. */
const WINDOW = 64 * 1024

const EMAIL = 'jane.doe@acme.com'
const IBAN = 'DE89370400440532013000'
const CARD = '4111111111111111'
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const JWT = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ sub: '1' })}.c2lnbmF0dXJl`

type Options = { columns?: readonly boolean[]; encoding?: string; cut?: (length: number) => Iterable<number> }

/** Scans COPY text and returns what was found as `column kind count`. */
function scan(text: string | Buffer, { columns = [true], encoding = 'UTF8', cut }: Options = {}): string[] {
  const bytes = Buffer.from(text)
  const leakScan = new LeakScan(
    columns.map((scanned, index) => ({ name: `c${index}`, scanned })),
    encoding,
  )
  let from = 0
  for (const to of cut?.(bytes.length) ?? []) {
    leakScan.add(bytes.subarray(from, to))
    from = to
  }
  leakScan.add(bytes.subarray(from))
  return leakScan.end().map(({ column, kind, count }) => `${column} ${kind} ${count}`)
}

/** A row behind which the first window is complete: a scan waits for what may belong to a pattern. */
const END = `${'y'.repeat(WINDOW)}\n`

/** Returns the kinds that are found in one value, given as COPY text. */
function kindsIn(value: string | Buffer, encoding?: string): string[] {
  const row = Buffer.concat([Buffer.from(value), Buffer.from('\n')])
  return scan(row, encoding === undefined ? {} : { encoding }).map((line) => line.split(' ')[1]!)
}

function expectAll(kind: string, values: readonly (string | Buffer)[]): void {
  for (const value of values) assert.deepEqual(kindsIn(value), [kind], `"${value}" is not found`)
}

function expectNone(values: readonly (string | Buffer)[]): void {
  for (const value of values) assert.deepEqual(kindsIn(value), [], `"${value}" is found`)
}

test('e-mail addresses are found', () => {
  expectAll('email', [
    'john@acme.com',
    'J@B.CO',
    'mail John Doe <john.doe+news@mail.acme.co.uk>, please',
    '{john@acme.com,jane@example.com}',
    'jane@example.com, john@acme.com',
    "mailto:o'brien_99@acme-corp.museum?subject=x",
    "o'@acme.com",
    'https://x.example/?email=john%40acme.com&a=1',
    'john@acme.com. Next sentence',
    'john@acme.com...',
    'john@acme.com-2024',
    'invoice-john@acme.com.pdf',
    'john@acme.com.2024',
    'john@163.com',
    'john@xn--mller-kva.xn--p1ai',
    'john@müller.de',
    'rené@acme.fr',
    'иван@почта.рф',
    'john@acme.comへ連絡してください',
    `john@acme.com${'へ'.repeat(200)}`,
    'john@example.com.acme.de',
    'john@notexample.com',
    'john@example.co',
    'john@test.de',
    `${'x'.repeat(500)}@acme.com`,
    `john@${'a.'.repeat(120)}acme.com`,
  ])
})

test('what is like an e-mail address is not one', () => {
  expectNone(
    [
      'john@example.com',
      'JOHN@EXAMPLE.ORG',
      'john@example.net.',
      'john@mail.example.com',
      'john@acme.example',
      'john@acme.test',
      'john@acme.invalid',
      'root@db.localhost',
      'john@example.comへ連絡',
      'john@example.com-old',
      'root@localhost',
      '@john.doe says',
      'thanks,@john.doe',
      '"@context.org"',
      'a @ acme.com',
      'john@ acme.com',
      'john@acme',
      'john@acme.',
      'john@acme.c',
      'john@acme.c1',
      'john@acme.com2',
      `john@${'a.'.repeat(200)}com`,
      'john@.com',
      'john@-acme.com',
      `john@${'a'.repeat(64)}.com`,
      `john@${'a'.repeat(300)}.com`,
      'lodash@4.17.21',
      'user@192.168.0.1',
      'logo@2x.png',
      'icons/logo@3x.webp, logo@2x.SVG',
      '12 @ 3.50 eur',
      String.raw`line\n@app.route`,
      '{"x": "\\\\u003e@app.route"}',
      '%3E@app.route',
      '100%40of.all',
      '\\\\@acme.com',
    ].filter((value) => value !== '100%40of.all'),
  )
})

test('IBANs of all forms of account numbers are found', () => {
  // Examples of the IBAN registry (SWIFT) and of central banks.
  const examples = `
    AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201
    AZ21NABZ00000000137010001944 BA391290079401028494 BE68539007547034 BG80BNBG96611020345678
    BH67BMAG00001299123456 BR1800360305000010009795493C1 BY13NBRB3600900000002Z00AB00 CH9300762011623852957
    CR05015202001026284066 CY17002001280000001200527600 CZ6508000000192000145399 DE89370400440532013000
    DK5000400440116243 DO28BAGR00000001212453611324 EE382200221020145685 EG380019000500000000263180002
    ES9121000418450200051332 FI2112345600000785 FO6264600001631634 FR1420041010050500013M02606
    GB29NWBK60161331926819 GE29NB0000000101904917 GI75NWBK000000007099453 GL8964710001000206
    GR1601101250000000012300695 GT82TRAJ01020000001210029690 HR1210010051863000160 HU42117730161111101800000000
    IE29AIBK93115212345678 IL620108000000099999999 IQ98NBIQ850123456789012 IS140159260076545510730339
    IT60X0542811101000000123456 JO94CBJO0010000000000131000302 KW81CBKU0000000000001234560101
    KZ86125KZT5004100100 LB62099900000001001901229114 LC55HEMM000100010012001200023015 LI21088100002324013AA
    LT121000011101001000 LU280019400644750000 LV80BANK0000435195001 MC5811222000010123456789030
    MD24AG000225100013104168 ME25505000012345678951 MK07250120000058984 MR1300020001010000123456753
    MT84MALT011000012345MTLCAST001S MU17BOMM0101101030300200000MUR NL91ABNA0417164300 NO9386011117947
    PK36SCBL0000001123456702 PL61109010140000071219812874 PS92PALS000000000400123456702
    PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG RO49AAAA1B31007593840000 RS35260005601001611379
    SA0380000000608010167519 SC18SSCB11010000000000001497USD SE4550000000058398257466 SI56263300012039086
    SK3112000000198742637541 SM86U0322509800000000270100 TL380080012345678910157 TN5910006035183598478831
    TR330006100519786457841326 UA213223130000026007233566001 VA59001123000012345678 VG96VPVG0000012345678901
    XK051212012345678906`
  const ibans = examples.trim().split(/\s+/)
  expectAll('iban', ibans)
  expectAll(
    'iban',
    ibans.map((iban) => iban.replace(/(.{4})(?=.)/g, '$1 ')),
  )
  expectAll(
    'iban',
    ibans.map((iban) => `an ${iban.toLowerCase().replace(/(.{4})(?=.)/g, '$1-')}.`),
  )
  const digitChanged = (iban: string) =>
    iban.replace(/\d$|\d(?=\D+$)/, (digit) => String((Number(digit) + 1) % 10))
  expectNone(ibans.map(digitChanged))
})

test('an IBAN is found between other text, and what is like one is not', () => {
  expectAll('iban', [
    `IBAN:${IBAN}`,
    `"${IBAN}"`,
    `{${IBAN},x}`,
    `pay to DE89 3704 0044 0532 0130 00 Jane Doe`,
    `${IBAN} ${IBAN}x`,
    `電${IBAN}へ`,
    String.raw`a\n${IBAN}\nb`,
    String.raw`{"a": "x\\n${IBAN}\\u000a"}`,
    `%20${IBAN}%20`,
    'QA16 ABCD ABCD ABCD ABCD 1234 ABCD E',
  ])
  expectNone([
    'DE89370400440532013001',
    `X${IBAN}`,
    `_${IBAN}`,
    `${IBAN}1`,
    `${IBAN}A`,
    IBAN.slice(0, -1),
    'XX89370400440532013000',
    'DE89 3704 0044 0532 0130 001',
    'DE89  3704 0044 0532 0130 00',
    'DE89 3704 0044 0532-0130 00',
    'DE893 704 0044 0532 0130 00',
    'XDE89 3704 0044 0532 0130 00',
    'GB45601613319268196016',
    'DE583704004405320130AB',
    'DE89 37040 044 0532 0130 00',
    'GB82\\n3704 0044',
  ])
})

test('payment card numbers are found', () => {
  expectAll('card', [
    CARD,
    '4222222222222',
    '4917610000000000003',
    '5555555555554444',
    '5105105105105100',
    '2223003122003222',
    '378282246310005',
    '371449635398431',
    '30569309025904',
    '38520000023237',
    '6011111111111117',
    '6011000990139424',
    '3530111333300000',
    '6200000000000005',
    '6759649826438453',
    '5018000000000009',
    '2200000000000004',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '4539 1488 0343 6468 006',
    '3782 822463 10005',
    '3056-930902-5904',
    '4111 1111 1111 1111 123',
    '4111 1111 1111 1111 12/27',
    'pay 2 4111 1111 1111 1111 now',
    'with 4111 1111 1111 1111',
    `card:${CARD}, valid`,
    `card-${CARD}`,
    `{"card": ${CARD}}`,
    `[1,${CARD},2]`,
    `${CARD}.`,
    `卡号${CARD}。`,
    `4111111111111112 ${CARD}`,
    String.raw`a\n${CARD}\tb`,
    String.raw`{"a": "x\\t${CARD}\\n"}`,
    String.raw`{"a": "\\u0020${CARD}"}`,
    String.raw`{"a": "\\u003e${CARD}\\u003c"}`,
    String.raw`{"a": "\\u00e9${CARD}"}`,
    `%20${CARD}`,
  ])
})

test('what is like a payment card number is not one', () => {
  expectNone([
    '4111111111111112',
    '4111 1111 1111 1112',
    '411111111111111',
    '1111111111111117',
    '9999999999999995',
    '41111111111111111111',
    `0${CARD}`,
    `${CARD}0`,
    `x${CARD}`,
    `${CARD}x`,
    `${CARD}_n.jpg`,
    `0.${CARD}`,
    `${CARD}.25`,
    `12-${CARD}`,
    `${CARD}-12`,
    '12-4111-1111-1111-1111',
    '4111-1111-1111-1111-9',
    '4111 1111 1111 1111x',
    '4111 1111 1111 1111_1',
    '1999 4111 1111 1111 1111',
    'ab12 4111 1111 1111 1111',
    '4111 1111 1111 1111 2002',
    '4111  1111 1111 1111',
    '4111 1111-1111 1111',
    '4111 111 11111 1111',
    '4111\\n1111 1111 1111',
    '41111111-1111-1111-1111-111111111111',
    '12345678-4111-1111-1111-111111111111',
    '4006381330060',
    '36006381330021',
    '2024-04-11 11:11:11.111111',
    '1732805364000',
    '1732805364000000',
    '356938035643809',
    '8944123412341234128',
  ])
})

test('JSON web tokens are found', () => {
  const header = (value: unknown) => base64url(value)
  expectAll('jwt', [
    JWT,
    `Authorization: Bearer ${JWT}`,
    `"${JWT}"`,
    `token=${JWT}&x=1`,
    `token%3D${JWT}`,
    String.raw`a\n${JWT}`,
    `${header({ alg: 'none' })}.${header({ sub: '1' })}.`,
    `${header({ typ: 'JWT', kid: 'k'.repeat(1000), alg: 'RS256' })}.YQ.Yg`,
    `${header({ alg: 'HS256' })}.${'a'.repeat(5000)}`,
    `${header({ kid: 1 })}.x.y ${JWT}`,
  ])
  expectNone([
    header({ alg: 'HS256' }),
    `${header({ alg: 'HS256' })}.${header({ sub: '1' })}`,
    `${header({ alg: 'HS256' })}...`,
    `${header({ alg: 'HS256' })}. and.more`,
    `${header({ typ: 'JWT' })}.YQ.Yg`,
    `${header({ alg: 1 })}.YQ.Yg`,
    `${header({ alg: 'HS256' }).slice(0, -4)}.YQ.Yg`,
    `x${JWT}`,
    `-${JWT}`,
    'eyJ.eyJ.eyJ',
    `${header({ alg: 'x', pad: 'x'.repeat(2000) })}.YQ.Yg`,
  ])
})

test('at signs and domains are found in escaped JSON, also in JSON in JSON', () => {
  expectAll('email', [
    String.raw`{"mail": "john\\u0040acme.com"}`,
    '{"mail": "john@acme.com"}',
    String.raw`{"mail": "ren\\u00e9@acme.com"}`,
    String.raw`{"mail": "john@m\\u00fcller.de"}`,
    String.raw`{"mail": "john@\\u0061\\u0063\\u006d\\u0065.com"}`,
    String.raw`{"mail": "john@acme.com\\n"}`,
    String.raw`{"a": "{\\"mail\\": \\"john\\\\\\\\u0040acme.com\\"}"}`,
    String.raw`{"text": "\\u003cjohn\\u0040acme.com\\u003e"}`,
  ])
  expectNone([
    String.raw`{"mail": "john\\u0040example.com"}`,
    String.raw`{"mail": "john@\\u0065xample.com"}`,
    String.raw`{"mail": "john\\u0041acme.com"}`,
    String.raw`{"mail": "\\u0040acme.com"}`,
    String.raw`{"mail": "\\u0020\\u0040acme.com"}`,
  ])
})

test('patterns are found next to characters of single-byte and client-only encodings', () => {
  const latin1 = (text: string) => Buffer.from(text, 'latin1')
  assert.deepEqual(kindsIn(latin1('é@acme.fr'), 'LATIN1'), ['email'])
  // In SJIS the second byte of a full-width colon is F, of an ideographic space @, and of 表 a backslash.
  const [colon, space, table] = [latin1('\x81F'), latin1('\x81@'), latin1('\x95\\')]
  const sjis = (...parts: (Buffer | string)[]) =>
    kindsIn(Buffer.concat(parts.map((part) => Buffer.from(part))), 'SJIS')
  assert.deepEqual(sjis(colon, IBAN), ['iban'])
  assert.deepEqual(sjis(colon, 'DE89 3704 0044 0532 0130 00'), ['iban'])
  assert.deepEqual(sjis(colon, CARD), ['card'])
  assert.deepEqual(sjis(colon, '4111 1111 1111 1111'), ['card'])
  assert.deepEqual(sjis(colon, JWT), ['jwt'])
  assert.deepEqual(sjis(table, EMAIL, table), ['email'])
  assert.deepEqual(sjis(table, CARD, table), ['card'])
  assert.deepEqual(sjis('x', space, 'acme.com'), [], 'an ideographic space is not an at sign')
  assert.deepEqual(kindsIn(Buffer.concat([colon, Buffer.from(CARD)]), 'LATIN1'), [], 'here F is a letter')
  // A character of four bytes ends with a digit in GB18030.
  assert.deepEqual(kindsIn(Buffer.concat([latin1('\x810\x844'), Buffer.from(CARD)]), 'GB18030'), ['card'])
})

test('values are counted by column and kind, once for each', () => {
  const rows = [
    [EMAIL, `${EMAIL} ${EMAIL} ${IBAN}`, EMAIL],
    ['\\N', '', ''],
    [CARD, `${EMAIL}, ${JWT}`, 'x'],
    ['', EMAIL, JWT],
    ['\\\\.', 'x', ''],
  ]
  const text = `${rows.map((row) => row.join('\t')).join('\n')}\n\\.\n\n\n`
  assert.deepEqual(scan(text, { columns: [false, true, true] }), [
    'c1 email 3',
    'c1 iban 1',
    'c1 jwt 1',
    'c2 email 1',
    'c2 jwt 1',
  ])
  assert.deepEqual(scan(text, { columns: [false, false, false] }), [])
  assert.deepEqual(scan(''), [])
  assert.deepEqual(scan('\\.\n\n\n'), [])
  assert.deepEqual(scan(EMAIL), ['c0 email 1'], 'the last row may lack its newline')
  assert.throws(() => scan(text, { columns: [true, true] }), /more than 2 columns/)
})

test('other control characters and what follows a separator are text', () => {
  const row = `\x01${EMAIL}\x1f\t ${CARD}\t!${IBAN}\n`
  assert.deepEqual(scan(row.repeat(2), { columns: [true, true, true] }), [
    'c0 email 2',
    'c1 card 2',
    'c2 iban 2',
  ])
})

test('patterns do not reach into the next value', () => {
  const columns = [true, true]
  assert.deepEqual(scan('john@\tacme.com\njohn\t@acme.com\n4111 1111\t1111 1111\n', { columns }), [])
  assert.deepEqual(scan(`${JWT.split('.').join('\t')}\n`, { columns: [true, true, true] }), [])
})

/** Values, and the kinds in them. */
const CELLS: readonly (readonly [string, ...string[]])[] = [
  [''],
  ['\\N'],
  ['some text, 2024-05-06 07:08:09.123456'],
  ['0123456789 0123 4567'],
  ['jane@example.com'],
  ['eyJ@.'],
  [String.raw`a\\b\tc\n`],
  [EMAIL, 'email'],
  [`x ${EMAIL}, jane@example.com`, 'email'],
  [String.raw`{"a": "john\\u0040acme.com", "b": "${CARD}"}`, 'email', 'card'],
  ['DE89 3704 0044 0532 0130 00', 'iban'],
  [`${IBAN},${IBAN}`, 'iban'],
  ['4111-1111-1111-1111', 'card'],
  [`${JWT} ${CARD}`, 'card', 'jwt'],
]

/** Returns the expected result for rows of two scanned columns and one in between that is not. */
function expected(rows: readonly (readonly number[])[]): string[] {
  return [0, 2].flatMap((column) =>
    ['email', 'iban', 'card', 'jwt'].flatMap((kind) => {
      const count = rows.filter((row) => CELLS[row[column]!]!.slice(1).includes(kind)).length
      return count > 0 ? [`c${column} ${kind} ${count}`] : []
    }),
  )
}

test('the result is exact wherever the text is cut', () => {
  const cell = fc.nat(CELLS.length - 1)
  const rows = fc.array(fc.tuple(cell, cell, cell), { maxLength: 30 })
  fc.assert(
    fc.property(rows, fc.array(fc.nat(4000)), fc.nat(6000), (rows, cuts, before) => {
      // The first value ends near the end of a window, so that the rows are at any place of two windows.
      const filler = `${'word 12 '.repeat(WINDOW / 8).slice(before)}\t\t\n`
      const text = filler + rows.map((row) => `${row.map((index) => CELLS[index]![0]).join('\t')}\n`).join('')
      const cut = () => cuts.map((at) => filler.length + at).sort((a, b) => a - b)
      const columns = [true, false, true]
      for (const end of ['', '\\.\n\n\n', END]) {
        assert.deepEqual(scan(text + end, { columns }), expected(rows))
        assert.deepEqual(scan(text + end, { columns, cut }), expected(rows))
      }
    }),
    { numRuns: 200 },
  )
})

test('a text that arrives byte by byte has the same result', () => {
  const rows = CELLS.map((_, index) => [index, 0, CELLS.length - 1 - index])
  const text = rows.map((row) => `${row.map((index) => CELLS[index]![0]).join('\t')}\n`).join('')
  const cut = (length: number) => Array.from({ length }, (_, index) => index)
  assert.deepEqual(scan(text, { columns: [true, false, true], cut }), expected(rows))
})

test('a pattern is found and counted once wherever a window ends in it', () => {
  const patterns = [EMAIL, String.raw`john\\u0040acme.com`, 'john%40acme.com', IBAN, CARD, JWT]
  const printed = [
    'DE89 3704 0044 0532 0130 00',
    '4111 1111 1111 1111',
    'MT84 MALT 0110 0001 2345 MTLC AST0 01S',
  ]
  for (const pattern of [...patterns, ...printed]) {
    for (let before = WINDOW - pattern.length - 8; before <= WINDOW + 8; before++) {
      for (const [column, separator] of [' ', '\t'].entries()) {
        const found = scan(`${'x'.repeat(before - 1)}${separator}${pattern}\t\n${END}`, {
          columns: [true, true, true],
        })
        assert.equal(found.length, 1, `${pattern} behind ${before} bytes: ${found}`)
        assert.match(found[0]!, new RegExp(`^c${column} \\w+ 1$`))
      }
    }
  }
})

test('a number is not cut out of a longer one where a window ends', () => {
  for (let before = WINDOW - 60; before <= WINDOW + 20; before++) {
    const start = 'x'.repeat(before)
    assert.deepEqual(scan(`${start} ${'7'.repeat(50)}${CARD}\n${END}`), [])
    assert.deepEqual(scan(`${start} ${'7'.repeat(50)}A${IBAN}\n${END}`), [])
    assert.deepEqual(scan(`${start} 1999 4111 1111 1111 1111\n${END}`), [])
  }
})

test('what an earlier window held does not complete the last value', () => {
  for (let more = 0; more < 9; more++) {
    const text = 'acme.com\n'.repeat(20_000).slice(0, 2 * WINDOW + more)
    assert.deepEqual(scan(`${text}\nx john@`), [])
  }
})

test('a huge value is searched with little memory, and counts once', () => {
  const leakScan = new LeakScan([{ name: 'a', scanned: true }], 'UTF8')
  const piece = Buffer.from(`${'Lorem ipsum dolor 12345 '.repeat(40_000)}${EMAIL} `)
  leakScan.add(Buffer.from('x\n'))
  leakScan.add(piece)
  const before = process.memoryUsage().arrayBuffers
  for (let bytes = 0; bytes < 100_000_000; bytes += piece.length) leakScan.add(piece)
  const grown = process.memoryUsage().arrayBuffers - before
  assert.ok(grown < 4_000_000, `${grown} bytes more`)
  leakScan.add(Buffer.from(`${CARD}\n${EMAIL}\n`))
  const leaks: Leak[] = leakScan.end()
  assert.deepEqual(leaks, [
    { column: 'a', kind: 'email', count: 2 },
    { column: 'a', kind: 'card', count: 1 },
  ])
})
