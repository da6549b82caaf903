import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiryWarning } from '../../../src/aws/expiry.ts'

const now = Date.parse('2026-11-24T02:00:00Z')
const temporary = { AWS_ACCESS_KEY_ID: 'ASIA', AWS_SESSION_TOKEN: 'token' }
const until = (time: string) => ({ ...temporary, AWS_CREDENTIAL_EXPIRATION: `2026-11-24T${time}+00:00` })
const GB = 1e9

test('credentials that will not live as long as the work are a warning that says when they end', () => {
  const quiet: [object, number][] = [
    [{}, 900 * GB],
    [{ AWS_ACCESS_KEY_ID: 'AKIA' }, 900 * GB],
    [{ AWS_PROFILE: 'x' }, 900 * GB],
    [temporary, 10 * GB],
    [until('03:00:00'), 50 * GB],
  ]
  for (const [variables, bytes] of quiet) {
    assert.equal(expiryWarning(variables as Record<string, string>, { kind: 'dump', bytes }, now), null)
  }
  assert.match(
    expiryWarning(until('02:30:00'), { kind: 'dump', bytes: 50 * GB }, now)!,
    /expire at 2026-11-24T02:30:00.000Z, in 30 min 0 s, and the dump of 50.0 GB may take 41 min.*aws-role-to-assume/,
  )
  assert.match(
    expiryWarning(until('03:00:00'), { kind: 'restore', bytes: 50 * GB }, now)!,
    /the restore of 50.0 GB may take 1 h 23 min/,
  )
  assert.match(
    expiryWarning(temporary, { kind: 'dump', bytes: 200 * GB }, now)!,
    /are temporary \(AWS_SESSION_TOKEN\), usually for an hour/,
  )
  assert.throws(
    () => expiryWarning(until('01:59:59'), { kind: 'dump', bytes: 1 }, now),
    /expired at 2026-11-24T01:59:59.000Z/,
  )
})
