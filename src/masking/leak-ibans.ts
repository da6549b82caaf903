import { characterBefore, DASH, isDigit, isLetter, isWord, type LeakWindow, SPACE } from './leak-window.ts'

/**
 * Account numbers of the IBAN registry (ISO 13616) and of countries that use it without an entry: n digits, a letters, c
 * either.
 */
const COUNTRIES_BY_ACCOUNT: Readonly<Record<string, string>> = {
  ...{ '11n': 'NO', '12n': 'BE', '14n': 'AX DK FI FO GL SD', '15n': 'SI', '16n': 'AT BA EE LT MN XK' },
  ...{
    '17n': 'HR',
    '18n': 'CR DE ME RS VA',
    '19n': 'IL SO TL',
    '20n': 'CZ ES SE SK TN',
    '21n': 'AO CV LY MZ PT ST',
  },
  ...{ '22n': 'DZ IR IS', '23n': 'BI CF CG CM DJ GA GQ KM MG MR TD', '24n': 'HU MA PL', '25n': 'EG' },
  ...{ '10n11c2n': 'BL FR GF GP MC MF MQ NC PF PM RE TF WF YT', '1a10n12c': 'IT SM', '4a14n': 'GB' },
  ...{ '8n12c': 'AD', '3n16n': 'AE', '8n16c': 'AL CY', '4a20c': 'AZ', '2c22n': 'BF BJ ML', '4a6n8c': 'BG' },
  ...{
    '4a14c': 'BH',
    '23n1a1c': 'BR',
    '4a4n16c': 'BY',
    '5n12c': 'CH LI',
    '1a23n': 'CI',
    '4a20n': 'DO HN NI SV',
  },
  ...{
    '2a12n': 'FK',
    '2c16n': 'GE',
    '4a15c': 'GI',
    '7n16c': 'GR',
    '24c': 'GT',
    '2a19n': 'GW',
    '4c14n': 'IE',
  },
  ...{ '4a15n': 'IQ', '4a4n18c': 'JO YE', '4a22c': 'KW', '3n13c': 'KZ LU', '4n20c': 'LB', '4a24c': 'LC' },
  ...{ '4a13c': 'LV', '2c18c': 'MD', '3n10c2n': 'MK', '4a5n18c': 'MT', '4a19n3a': 'MU', '2a22n': 'NE SN TG' },
  ...{
    '4a10n': 'NL',
    '3n16c': 'OM',
    '4c16n': 'PK VG',
    '4c21n': 'PS',
    '4a21c': 'QA',
    '4a16c': 'RO',
    '14n15c': 'RU',
  },
  ...{ '2n18c': 'SA', '4a20n3a': 'SC', '5n17c': 'TR', '6n19c': 'UA' },
}

const CLASSES: Readonly<Record<string, string>> = { n: '\\d', a: '[A-Z]', c: '[A-Z\\d]' }

const ACCOUNTS = new Map(
  Object.entries(COUNTRIES_BY_ACCOUNT).flatMap(([account, countries]) => {
    const parts = [...account.matchAll(/(\d+)([nac])/g)]
    const length = parts.reduce((sum, [, size]) => sum + Number(size), 0)
    const form = new RegExp(`^${parts.map(([, size, kind]) => `${CLASSES[kind!]}{${size}}`).join('')}$`, 'i')
    return countries.split(' ').map((country) => [country, { length, form }] as const)
  }),
)

const MOST_GROUPS = 9

/** Returns whether an IBAN has its beginning in the word at `start`, or up to eight groups of four characters before it. */
export function isIban(window: LeakWindow, start: number): boolean {
  const { bytes } = window
  for (let at = start, groups = 1; groups <= MOST_GROUPS; at -= 5, groups++) {
    if (startsIban(bytes, at) && !isWord(characterBefore(window, at)) && isIbanAt(bytes, at)) return true
    if (!isGroupBefore(bytes, at)) return false
  }
  return false
}

function startsIban(bytes: Buffer, at: number): boolean {
  return (
    isLetter(bytes[at]!) && isLetter(bytes[at + 1]!) && isDigit(bytes[at + 2]!) && isDigit(bytes[at + 3]!)
  )
}

/** Returns whether a separator and four letters or digits stand before `at`; what precedes those is not looked at. */
function isGroupBefore(bytes: Buffer, at: number): boolean {
  if (bytes[at - 1] !== SPACE && bytes[at - 1] !== DASH) return false
  for (let before = at - 5; before < at - 1; before++) if (!isWord(bytes[before]!)) return false
  return true
}

function isIbanAt(bytes: Buffer, at: number): boolean {
  const account = ACCOUNTS.get(bytes.toString('latin1', at, at + 2).toUpperCase())
  if (account === undefined) return false
  const length = 4 + account.length
  const separator = bytes[at + 4]!
  const printed = separator === SPACE || separator === DASH
  const end = at + length + (printed ? Math.ceil(length / 4) - 1 : 0)
  if (isWord(bytes[end]!)) return false
  const text = bytes.toString('latin1', at, end)
  const iban = printed ? ungrouped(text, String.fromCharCode(separator)) : text
  return iban.length === length && account.form.test(iban.slice(4)) && hasCheckDigits(iban)
}

/** Returns the text without the separators behind each four characters; other separators stay. */
function ungrouped(text: string, separator: string): string {
  const groups = text.split(separator)
  return groups.slice(0, -1).every((group) => group.length === 4) ? groups.join('') : text
}

/** ISO 7064: letters count as 10 to 35, and the number with its first four characters at its end is 1 modulo 97. */
function hasCheckDigits(iban: string): boolean {
  let rest = 0
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(character, 36)
    rest = (rest * (value < 10 ? 10 : 100) + value) % 97
  }
  return rest === 1
}
