import { availableParallelism } from 'node:os'

/**
 * Compression runs on libuv's pool of four threads; a runner with more cores gets as many. It must be said before the
 * pool is first used, so this module is the first that is imported.
 */
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()))
