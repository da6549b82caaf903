/**
 * Imported into the process of every test file. A test that failed may leave something running, which keeps its process
 * alive; it must not hold CI to the end of its job.
 */
const LIMIT = 25 * 60_000

setTimeout(() => {
  console.error(
    `This file did not end within ${LIMIT / 60_000} minutes: something that it started still runs`,
  )
  process.exit(1)
}, LIMIT).unref()
