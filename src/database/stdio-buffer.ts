import { existsSync } from 'node:fs'

/** What GNU's `stdbuf` preloads into the program that it starts (coreutils, src/stdbuf.c); where distributions keep it. */
const LIBRARIES = ['/usr/libexec/coreutils/libstdbuf.so', '/usr/lib/coreutils/libstdbuf.so']

/** As much as Node reads from a pipe at once. */
const BYTES = 64 * 1024

/**
 * Variables that make a C program write its standard output in large pieces. By itself it writes 4 KiB at a time into
 * a pipe, which costs it and us more than the data do: a third of our processor time for a dump. Where the library is
 * missing (musl, macOS, Windows) nothing changes but the speed, and a program that cannot load it runs without.
 */
export function largeWrites(env: Readonly<Record<string, string>>): Record<string, string> {
  const library = process.platform === 'linux' ? LIBRARIES.find((path) => existsSync(path)) : undefined
  return library && !env.LD_PRELOAD ? { LD_PRELOAD: library, _STDBUF_O: String(BYTES) } : {}
}
