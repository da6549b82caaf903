import { existsSync } from 'node:fs'

/** Where distributions install the library that GNU's `stdbuf` preloads (coreutils, src/stdbuf.c). */
const LIBRARY_PATHS = ['/usr/libexec/coreutils/libstdbuf.so', '/usr/lib/coreutils/libstdbuf.so']

/** Node reads this much from a pipe at once. */
const BUFFER_BYTES = 64 * 1024

/**
 * Returns variables that make a C program write its standard output in large pieces. The default of 4 KiB for a pipe took
 * a third of the processor time of a dump. Where the library is missing (musl, macOS, Windows), only the speed differs, and
 * a program that cannot load it runs without it.
 */
export function largeWrites(env: Readonly<Record<string, string>>): Record<string, string> {
  const library = process.platform === 'linux' ? LIBRARY_PATHS.find((path) => existsSync(path)) : undefined
  return library && !env.LD_PRELOAD ? { LD_PRELOAD: library, _STDBUF_O: String(BUFFER_BYTES) } : {}
}
