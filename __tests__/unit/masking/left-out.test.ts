import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLeftOut, leaveOutArguments } from '../../../src/masking/left-out.ts'

test('large objects are left out unless they are kept, subscriptions always', () => {
  assert.deepEqual(leaveOutArguments({ keepsLargeObjects: false }, false), ['-B', '--no-subscriptions'])
  assert.deepEqual(leaveOutArguments({ keepsLargeObjects: true }, false), ['-b', '--no-subscriptions'])
  assert.deepEqual(leaveOutArguments({ keepsLargeObjects: true }, true), ['-B', '--no-subscriptions'])
})

test('entries with passwords or values of columns, and what is attached to them', () => {
  const leftOut = [
    ['USER MAPPING', 'USER MAPPING public SERVER remote'],
    ['SUBSCRIPTION', 'sub'],
    ['SUBSCRIPTION TABLE', 'sub t'],
    ['COMMENT', 'SUBSCRIPTION sub'],
    ['SECURITY LABEL', 'SUBSCRIPTION sub'],
    ['STATISTICS DATA', 'users'],
  ]
  const kept = [
    ['TABLE', 'SUBSCRIPTION'],
    ['TABLE DATA', 'subscriptions'],
    ['COMMENT', 'TABLE subscriptions'],
    ['SERVER', 'remote'],
    ['STATISTICS', 'users_stats'],
  ]
  for (const [desc, tag] of leftOut) assert.ok(isLeftOut({ desc: desc!, tag: tag! }), desc)
  for (const [desc, tag] of kept) assert.ok(!isLeftOut({ desc: desc!, tag: tag! }), desc)
})
