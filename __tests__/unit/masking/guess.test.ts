import assert from 'node:assert/strict'
import { test } from 'node:test'
import { column } from '../../../lab/mask-catalog.ts'
import { guessMask, isHarmless, looksDisposable } from '../../../src/masking/guess.ts'

const GUESSES: Record<string, string | null> = {
  'email text': 'email',
  'E-Mail text': 'email',
  'contactEmail text': 'email',
  'email_count id': null,
  'encrypted_password text': '{value: ""}',
  'reset_token text': 'token',
  'phone_number text': 'digits',
  'zip id': 'digits',
  'firstName text': 'name',
  'name text': 'name',
  'username text': 'name',
  'birth_date time': `{sql: "date_trunc('year', …)::date"}`,
  'last_ip text': 'null',
  'ip_address text': 'null',
  'shipping_address text': 'text',
  'emails tags': 'empty',
  'preferences json': '{json: []}',
  'xyz text': 'text',
  'xyz id': null,
  'seen time': null,
}

test('the mask that a column probably needs', () => {
  for (const [text, mask] of Object.entries(GUESSES)) assert.equal(guessMask(column(text)), mask, text)
})

test('a guess is a mask that the column can have', () => {
  const unique: Record<string, string | null> = {
    'email text': 'email',
    'username text': 'token',
    'name short': 'token',
    'zip id': null,
    'password text': 'token',
    'bio text': 'token',
    'code tiny': null,
    'last_ip text': 'token',
    'birth_date time': `{sql: "date_trunc('year', …)::date"}`,
  }
  for (const [text, mask] of Object.entries(unique)) assert.equal(guessMask(column(text), true), mask, text)
  // An address needs room for 20 characters, and NOT NULL a value.
  assert.equal(guessMask(column('email tiny')), null)
  assert.equal(guessMask(column('last_ip text!')), 'empty')
})

test('keep is proposed only for keys that are numbers or UUIDs, and for times of the row', () => {
  const harmless = (text: string, isKey = false) => isHarmless(column(text), isKey)
  for (const text of ['id id', 'id big', 'id uuid']) assert.ok(harmless(text, true), text)
  for (const text of ['email text', 'code short', 'at time', 'ids tags'])
    assert.ok(!harmless(text, true), text)
  for (const text of ['created_at time', 'updatedAt time', 'deleted_at time', 'date_created time'])
    assert.ok(harmless(text), text)
  for (const text of ['id id', 'born_at time', 'last_login_at time', 'created_at text', 'created_by text'])
    assert.ok(!harmless(text), text)
})

test('tables that a copy can do without', () => {
  for (const name of ['sessions', 'user_sessions', 'versions', 'audit_log', 'delayed_jobs'])
    assert.ok(looksDisposable(name), name)
  for (const name of ['users', 'logistics', 'blogs']) assert.ok(!looksDisposable(name), name)
})
