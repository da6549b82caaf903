import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { noClient, program } from '../../../lab/benches/session-bench.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import { LeakScan } from '../../../src/masking/leak-scan.ts'

const COLUMNS = ['words', 'plain', 'list', 'pair', 'parsed', 'other']
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln'

/** Each value of `words` stands in all columns, in the form that its type has. */
const TABLE = `
  CREATE TYPE pair AS (number int, words text);
  CREATE TABLE words (words text, plain json, list text[], pair pair, parsed jsonb, other text);
  INSERT INTO words
  SELECT words, json_build_object('a', words), ARRAY['x', words], (1, words)::pair, jsonb_build_object('a', words), 'other'
  FROM unnest(ARRAY[
    E'first line\\njane@acme.com\\tsecond', E'\\\\jane"x" <jane@acme.com>', 'jane@example.com', NULL, '',
    E'card:\\n4111111111111111\\n', 'カード：4111 1111 1111 1111。', E'表\\t4111-1111-1111-1111',
    '口座：DE89370400440532013000', E'\\b\\f\\x0bDE89 3704 0044 0532 0130 00', 'トークン：${JWT}　x',
    '前の文　acme.com', 'カ@', '\\N', '\\.', E'4111 1111\\n1111 1111', E'jane@\\nacme.com'
  ]) AS words;
  INSERT INTO words (plain) VALUES ('{"a": "jane\\u0040acme.com"}'), ('{"a": "\\n\\u0034 jane@\\u0061cme.com"}')`

describe('the leak scan of what COPY writes', { skip: noClient }, () => {
  let postgres: Postgres
  before(async () => {
    postgres = await startPostgres({})
    await postgres.psql('postgres', TABLE)
  })
  after(() => postgres?.[Symbol.asyncDispose]())

  /** Returns the counts by column. */
  function scan(encoding: string): Record<string, Record<string, number>> {
    const options = { env: { ...process.env, PGCLIENTENCODING: encoding } }
    const copy = ['-X', '-c', 'COPY words TO STDOUT', postgres.url('postgres')]
    const scan = new LeakScan(
      COLUMNS.map((name) => ({ name, scanned: true })),
      encoding,
    )
    scan.add(execFileSync(program('psql'), copy, options))
    const found: Record<string, Record<string, number>> = {}
    for (const { column, kind, count } of scan.end()) found[column] = { ...found[column], [kind]: count }
    return found
  }

  for (const encoding of ['UTF8', 'EUC_JP', 'SJIS', 'GB18030'])
    test(`${encoding}: every type shows the same values`, () => {
      const values = { email: 2, iban: 2, card: 3, jwt: 1 }
      assert.deepEqual(scan(encoding), {
        words: values,
        plain: { ...values, email: 4 },
        list: values,
        pair: values,
        parsed: values,
      })
    })
})
