import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import { tempFolder } from '../../../lab/temp.ts'
import { Lanes } from '../../../src/archive/lane.ts'

const MIB = 1024 * 1024
const never = () => false
const always = () => true

test('stretches come out as they went in, from memory and from the disk, in any order of writing and reading', async () => {
  await using folder = tempFolder('lanes')
  const turns = fc.array(fc.boolean(), { minLength: 1, maxLength: 60 })
  const entries = fc.array(fc.array(fc.integer({ min: 0, max: 3 * MIB }), { maxLength: 6 }), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(entries, turns, async (sizes, patience) => {
      const lanes = await Lanes.open(folder.path)
      const lane = lanes.add(({ reading }) => !reading)
      const data = sizes.map((pieces) => pieces.map((size) => randomBytes(size)))
      let step = 0
      const pause = () => (patience[step++ % patience.length] ? setImmediate() : undefined)
      const write = async () => {
        for (const pieces of data) {
          for (const piece of pieces) {
            await lane.put([piece.subarray(0, 7), piece.subarray(7)])
            await pause()
          }
          lane.end()
        }
      }
      const read = async () => {
        const found: Buffer[] = []
        for (const _ of data) {
          await pause()
          found.push(await buffer(lane.stretch()))
        }
        return found
      }
      const [found] = await Promise.all([read(), write()])
      assert.ok(found.every((bytes, index) => bytes.equals(Buffer.concat(data[index]!))))
      await lanes.close()
    }),
    { numRuns: 40 },
  )
  assert.deepEqual(readdirSync(folder.path), [])
})

/** Puts mebibytes into a lane until it does not take one at once. @returns how many it took */
async function fill(lane: ReturnType<Lanes['add']>, most: number): Promise<number> {
  for (let taken = 0; taken < most; taken++) {
    const put = lane.put([Buffer.alloc(MIB, taken)]).then(() => true)
    put.catch(() => undefined)
    if (!(await Promise.race([put, wait(300, false)]))) return taken
  }
  return most
}

test('a writer that may not use the disk waits while memory is full', async () => {
  await using folder = tempFolder('lanes')
  const lanes = await Lanes.open(folder.path)
  const lane = lanes.add(never)
  assert.equal(await fill(lane, 40), 16)
  lane.end()
  // The next one was waiting, and came in behind the end.
  assert.equal((await buffer(lane.stretch())).length, 16 * MIB)
  lane.end()
  assert.deepEqual([...new Set(await buffer(lane.stretch()))], [16])
  await lanes.close()
})

test('disk space is released when the data was read', async () => {
  await using folder = tempFolder('lanes')
  const lanes = await Lanes.open(folder.path, 4 * MIB)
  const lane = lanes.add(always)
  assert.equal(await fill(lane, 40), 20, 'sixteen in memory, four on the disk')
  lane.end()
  const read = buffer(lane.stretch())
  assert.equal((await read).length, 20 * MIB)
  assert.ok(lanes.reserve(3 * MIB), 'only the one that waited may be there still')
  await lanes.close()
})

test('what is on the disk cannot be read there', async () => {
  await using folder = tempFolder('lanes')
  const lanes = await Lanes.open(folder.path)
  const lane = lanes.add(always)
  const row = Buffer.from('alice@example.com\t1983-07-21\n')
  const data = Buffer.alloc(24 * MIB, row)
  for (let at = 0; at < data.length; at += MIB) await lane.put([data.subarray(at, at + MIB)])
  lane.end()
  const files = readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).startsWith(folder.path))
  assert.equal(files.length, 1)
  const stored = readFileSync(`/proc/self/fd/${files[0]}`)
  assert.equal(stored.length, 8 * MIB)
  assert.ok(!stored.includes(row))
  assert.ok((await buffer(lane.stretch())).equals(data))
  await lanes.close()
})

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}

test('a failure ends writers and readers with its reason, whichever lane they use', async () => {
  await using folder = tempFolder('lanes')
  const lanes = await Lanes.open(folder.path)
  const full = lanes.add(never)
  const spilled = lanes.add(always)
  const empty = lanes.add(never)
  await fill(spilled, 20)
  const writing = fill(full, 20).then(() => full.put([Buffer.alloc(MIB)]))
  const reading = buffer(empty.stretch())
  const outcomes = Promise.allSettled([writing, reading])
  await wait(400)
  lanes.fail(new Error('the first reason'))
  lanes.fail(new Error('the second reason'))
  for (const outcome of await outcomes)
    assert.match(String((outcome as PromiseRejectedResult).reason), /first reason/)
  await lanes.close()
  assert.deepEqual(readdirSync(folder.path), [])
})

test('a lane is hungry when its reader waits, and not before it reads', async () => {
  await using folder = tempFolder('lanes')
  const lanes = await Lanes.open(folder.path)
  const lane = lanes.add(never)
  assert.equal(lane.readerWaits, false)
  const read = buffer(lane.stretch())
  await setImmediate()
  assert.equal(lane.readerWaits, true)
  await lane.put([Buffer.from('x')])
  lane.end()
  assert.equal((await read).toString(), 'x')
  assert.equal(lane.readerWaits, false)
  await lanes.close()
})
