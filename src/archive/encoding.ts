import type { Bytes } from './byte-source.ts'

/** Returns a string of an archive as text. */
export type Decode = (bytes: Bytes) => string

/** PostgreSQL's names of encodings (pg_enc2name_tbl in encnames.c) and those of the Encoding Standard. */
const LABELS: Readonly<Record<string, string>> = {
  ...{ EUC_JP: 'euc-jp', EUC_JIS_2004: 'euc-jp', SJIS: 'shift_jis', SHIFT_JIS_2004: 'shift_jis' },
  ...{ EUC_KR: 'euc-kr', UHC: 'euc-kr', EUC_CN: 'gbk', GBK: 'gbk', GB18030: 'gb18030', BIG5: 'big5' },
  ...{ LATIN2: 'iso-8859-2', LATIN3: 'iso-8859-3', LATIN4: 'iso-8859-4', LATIN5: 'windows-1254' },
  ...{ LATIN6: 'iso-8859-10', LATIN7: 'iso-8859-13', LATIN8: 'iso-8859-14', LATIN9: 'iso-8859-15' },
  ...{ LATIN10: 'iso-8859-16', ISO_8859_5: 'iso-8859-5', ISO_8859_6: 'iso-8859-6' },
  ...{ ISO_8859_7: 'iso-8859-7', ISO_8859_8: 'iso-8859-8', KOI8R: 'koi8-r', KOI8U: 'koi8-u' },
  ...{ WIN866: 'ibm866', WIN874: 'windows-874', WIN1250: 'windows-1250', WIN1251: 'windows-1251' },
  ...{ WIN1252: 'windows-1252', WIN1253: 'windows-1253', WIN1254: 'windows-1254', WIN1255: 'windows-1255' },
  ...{ WIN1256: 'windows-1256', WIN1257: 'windows-1257', WIN1258: 'windows-1258' },
}

/** Decodes UTF-8; bytes that are not UTF-8 become replacement characters. */
export const decodeUtf8: Decode = (bytes) => bytes?.toString() ?? ''

/**
 * Returns how to decode the strings of an archive.
 *
 * Text that cannot be decoded keeps its bytes as latin1, so that different names stay different. So does everything that is
 * not UTF-8 in SQL_ASCII, where PostgreSQL does not know the encoding either.
 */
export function decoderOf(encoding: string | null): Decode {
  if (encoding === null || encoding === 'UTF8') return decodeUtf8
  const latin1: Decode = (bytes) => bytes?.toString('latin1') ?? ''
  if (encoding === 'LATIN1') return latin1
  const decoder = new TextDecoder(LABELS[encoding] ?? 'utf-8', { fatal: true, ignoreBOM: true })
  return (bytes) => {
    try {
      return bytes === null ? '' : decoder.decode(bytes)
    } catch {
      return latin1(bytes)
    }
  }
}
