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

const RHEL: [string, number | null][] = [
  ['ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.6"\n', 9],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="8.10"\n', 8],
  ['ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\n', 10],
  ['ID="ol"\nID_LIKE="fedora"\nVERSION_ID="9.5"\n', 9],
  ['ID=fedora\nVERSION_ID=43\n', null],
  ['ID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"\n', null],
  ['ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n', null],
  ['ID=debian\nVERSION_ID="13"\n', null],
]

for (const [osRelease, major] of RHEL) {
  test(`${JSON.stringify(osRelease)} takes packages of RHEL ${major ?? 'not at all'}`, () => {
    assert.equal(describeSystem('linux', osRelease).rhelMajor, major)
  })
}
