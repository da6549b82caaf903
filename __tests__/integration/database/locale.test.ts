import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import type { Session } from '../../../src/database/connection/session.ts'
import { createDatabase, createStatement, type Locale, readLocale } from '../../../src/database/locale.ts'
import { lookAtServer, type Server } from '../../../src/database/server.ts'

const libc: Locale = { encoding: 'UTF8', collate: 'C', ctype: 'C', provider: 'libc', locale: null }
const icu: Locale = { ...libc, provider: 'icu', locale: 'de' }
const builtin: Locale = { ...libc, provider: 'builtin', locale: 'C.UTF-8' }

test('a new database never comes from template1, and says only what the server understands', () => {
  const on = (major: number) => ({ major }) as Server
  const base = `CREATE DATABASE "a""b" TEMPLATE template0`
  const plain = `${base} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`
  const cases: [number, Locale | null, string | null, string][] = [
    [17, null, null, base],
    [10, libc, null, plain],
    [15, libc, 'fast "disk"', `${plain} LOCALE_PROVIDER 'libc' TABLESPACE "fast ""disk"""`],
    [15, { ...icu, locale: `o'x` }, null, `${plain} LOCALE_PROVIDER 'icu' ICU_LOCALE 'o''x'`],
    [17, builtin, null, `${plain} LOCALE_PROVIDER 'builtin' BUILTIN_LOCALE 'C.UTF-8'`],
  ]
  for (const [major, locale, tablespace, sql] of cases) {
    assert.equal(createStatement('a"b', on(major), locale, tablespace), sql)
  }
})

const bench = await startSessionBench()

describe('a database', { skip: noClient }, () => {
  let session: Session
  let server: Server
  before(async () => {
    session = await bench.open('postgres')
    server = await lookAtServer(session)
  })

  test('is made with the locale of another one', async () => {
    const locales: Record<string, Locale> = {
      plain: libc,
      german: icu,
      'sql ascii': { ...libc, encoding: 'SQL_ASCII' },
      latin: { ...libc, encoding: 'LATIN1' },
    }
    for (const [name, locale] of Object.entries(locales)) {
      assert.equal(await createDatabase(session, server, name, { locale, tablespace: 'pg_default' }), null)
      const read = await readLocale(session, server, name)
      assert.deepEqual(read, locale)
      const copy = `copy of ${name}`
      assert.equal(await createDatabase(session, server, copy, { locale: read, tablespace: null }), null)
      assert.deepEqual(await readLocale(session, server, copy), locale)
    }
    assert.equal(await readLocale(session, server, 'nowhere'), null)
  })

  test('has the locale of the server, when the server does not know the wanted one', async () => {
    const own = await readLocale(session, server, 'template0')
    const refused: Record<string, [Locale, RegExp]> = {
      'of nowhere': [{ ...libc, collate: 'xx_XX.utf8', ctype: 'xx_XX.utf8' }, /invalid.*locale name/],
      'of another libc': [
        { ...libc, collate: 'English_United States.1252', ctype: 'C' },
        /invalid.*locale name/,
      ],
      'of a newer server': [builtin, /builtin/],
      'of a newer server, without a name': [{ ...builtin, locale: null }, /locale provider.*builtin/],
      'of another encoding': [{ ...libc, encoding: 'KLINGON' }, /not a valid encoding/],
      'of the client': [{ ...libc, encoding: 'SJIS' }, /not a valid encoding/],
      'of an encoding that does not fit': [
        { ...libc, collate: 'C.utf8', ctype: 'C.utf8', encoding: 'LATIN1' },
        /encoding "LATIN1" does not match/,
      ],
      'of ICU, which is none': [{ ...icu, encoding: 'SQL_ASCII' }, /encoding.*ICU/i],
    }
    for (const [name, [locale, reason]] of Object.entries(refused)) {
      assert.match(
        (await createDatabase(session, server, name, { locale, tablespace: null })) ?? 'not refused',
        reason,
        name,
      )
      assert.deepEqual(await readLocale(session, server, name), own)
    }
  })

  test('is not made at all, when the reason is another one', async () => {
    const wanted = { locale: libc, tablespace: null }
    await assert.rejects(createDatabase(session, server, 'postgres', wanted), /already exists/)
    await assert.rejects(
      createDatabase(session, server, 'x', { ...wanted, tablespace: 'no where' }),
      /tablespace "no where"/,
    )
  })
})
