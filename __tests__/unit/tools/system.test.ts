import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeSystem } from '../../../src/tools/system.ts'

const SYSTEMS: [string, string, string][] = [
  ['PRETTY_NAME="Ubuntu 24.04.3 LTS"\nID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n', 'apt', 'noble'],
  ['ID=debian\nVERSION_CODENAME=bookworm\n', 'apt', 'bookworm'],
  ['ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=xia\nUBUNTU_CODENAME=noble\n', 'apt', 'noble'],
  ['NAME="Alpine Linux"\nID=alpine\n', 'apk', ''],
  ['ID=fedora\nVERSION_CODENAME=""\n', 'dnf', ''],
  ['ID="rhel"\nID_LIKE="fedora"\n', 'dnf', ''],
  ['ID="amzn"\nID_LIKE="fedora"\n', 'dnf', ''],
  ['ID=arch\n', 'none', ''],
  ['', 'none', ''],
]

for (const [osRelease, packageManager, codename] of SYSTEMS) {
  test(`${JSON.stringify(osRelease)} is ${packageManager}`, () => {
    const system = describeSystem('linux', osRelease)
    assert.deepEqual([system.packageManager, system.codename], [packageManager, codename])
  })
}

test('macOS has Homebrew, Windows nothing that we use', () => {
  assert.equal(describeSystem('darwin', '').packageManager, 'brew')
  assert.equal(describeSystem('win32', '').packageManager, 'none')
})
