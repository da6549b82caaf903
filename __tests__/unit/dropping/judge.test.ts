import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DatabaseRow } from '../../../src/database/databases.ts'
import type { Marker } from '../../../src/database/marker.ts'
import { type Conditions, judge, obstacleOf } from '../../../src/dropping/judge.ts'

const now = Date.parse('2026-11-28T12:00:00.000Z')
const runsOf = 'https://github.com/acme/shop/actions/runs/'
const made: Marker = { kind: 'clone', of: 'preview_7', at: '2026-11-20T12:00:00.000Z', run: `${runsOf}1` }
const none: Conditions = { patterns: ['preview_*'], now, olderThan: null, open: null, runsOf }
const day = 86_400_000

test('a database goes when one of the conditions holds, and stays with the reasons of all others', () => {
  const cases: [Partial<Marker>, Partial<Conditions>, boolean, RegExp][] = [
    [{}, {}, false, /^does not expire$/],
    [{ expires: '2026-11-28T12:00:00.000Z' }, {}, true, /^expired at 2026-11-28T12/],
    [{ expires: '2026-11-28T12:00:00.001Z' }, {}, false, /^expires at/],
    [{}, { olderThan: 8 * day }, false, /^does not expire, was made at 2026-11-20/],
    [{}, { olderThan: 8 * day - 1 }, true, /^is older than older-than: made at 2026-11-20/],
    [{ at: '2030-01-01T00:00:00Z' }, { olderThan: 1 }, false, /was made at 2030/],
    [{}, { open: new Set(['7', '8']) }, false, /^does not expire, pull request 7 is open$/],
    [{}, { open: new Set(['8', '77']) }, true, /^pull request 7 is not open$/],
    [{ expires: '2030-01-01T00:00:00Z' }, { open: new Set() }, true, /pull request 7 is not open/],
    [{ expires: '2020-01-01T00:00:00Z' }, { open: new Set(['7']) }, true, /expired/],
    [{}, { open: new Set(), patterns: ['preview_7*'] }, false, /has no number/],
    [{}, { open: new Set(['3']), patterns: ['preview_*', 'p*view_7'] }, true, /request 7 is not/],
    // The numbers of another repository are not ours. An empty address is of a run outside GitHub.
    [
      { run: 'https://github.com/acme/shopping/actions/runs/1' },
      { open: new Set() },
      false,
      /another repository/,
    ],
    [
      { run: 'https://ghe.example/acme/shop/actions/runs/1' },
      { open: new Set() },
      false,
      /another repository/,
    ],
    [{ run: `${runsOf.replace('acme/shop', 'Acme/Shop')}1` }, { open: new Set() }, true, /not open/],
    [{ run: '' }, { open: new Set() }, true, /not open/],
    [{ run: 'https://github.com/acme/other/actions/runs/1' }, { olderThan: day }, true, /older/],
  ]
  for (const [marker, conditions, drop, reason] of cases) {
    const verdict = judge('preview_7', { ...made, ...marker }, { ...none, ...conditions })
    assert.equal(verdict.drop, drop, JSON.stringify([marker, conditions]))
    assert.match(verdict.reason, reason)
  }
})

test('a number stays while one of the pull requests that it could be is open', () => {
  const patterns = ['preview_*', 'preview_1*']
  const verdict = (open: string[]) => judge('preview_12', made, { ...none, patterns, open: new Set(open) })
  assert.deepEqual(verdict(['2']), { drop: false, reason: 'does not expire, pull request 2 is open' })
  assert.equal(verdict(['12']).drop, false)
  assert.deepEqual(verdict(['1']), { drop: true, reason: 'pull requests 12 and 2 are not open' })
})

test('only a live database that this action made under its present name is dropped', () => {
  const row = (name: string, marker: Partial<Marker> | null, isTemplate = false) =>
    ({ name, isTemplate, marker: marker && { ...made, of: name, ...marker } }) as DatabaseRow
  assert.equal(obstacleOf(row('preview_7', {})), null)
  const others: [DatabaseRow, RegExp][] = [
    [row('preview_7', null), /was not made by this action/],
    [row('preview_7', { kind: 'template' }), /template of instant previews/],
    [row('preview_7', { kind: 'staging' }), /temporary database of a run/],
    [row('preview_7', { kind: 'old' }), /temporary database of a run/],
    [row('preview_7', { kind: 'point', of: 'shop' }), /restore point of "shop"/],
    [row('preview_7', { of: 'preview_8' }), /as "preview_8", and renamed/],
    [row('preview_7', {}, true), /template database of the server/],
  ]
  for (const [database, reason] of others) assert.match(obstacleOf(database)!, reason)
})
