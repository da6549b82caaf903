import { AwsError } from '../aws/cli.ts'
import { DatabaseError } from '../database/connection/session.ts'
import { PermanentError, TransientError } from '../errors.ts'
import { ChildError } from '../process/child.ts'

/**
 * SQLSTATEs of transient errors (PostgreSQL documentation, appendix A): class 08, a broken connection;
 * serialization_failure (a standby's recovery conflict as well) and deadlock_detected; too_many_connections;
 * admin_shutdown, crash_shutdown, cannot_connect_now and idle_session_timeout.
 */
const TRANSIENT_STATES = /^(?:08...|40001|40P01|53300|57P0[1235])$/

/** Whether another attempt may succeed after an error of the server with this SQLSTATE. */
export function isTransientState(sqlstate: string): boolean {
  return TRANSIENT_STATES.test(sqlstate)
}

/** S3's codes for internal errors and too many requests, HTTP's for answers without a body, and those of `explainAws`. */
const TRANSIENT_CODES =
  /^(?:SlowDown|ServiceUnavailable|InternalError|InternalFailure|RequestTimeout\w*|Throttl\w+|TooManyRequests\w*|RequestLimitExceeded|BandwidthLimitExceeded|IncompleteBody|BadDigest|OperationAborted|429|50[0234]|Cut|NoConnection)$/

/**
 * Messages of programs that print no code. libpq and the client programs: fe-connect.c, fe-misc.c,
 * fe-secure-openssl.c, pg_dump.c; the server: postgres.c and postmaster.c, in English only; the AWS CLI: s3transfer's
 * exceptions.py and, for its C runtime, aws-c-io and aws-c-http.
 */
const TRANSIENT_MESSAGES: readonly RegExp[] = [
  /server closed the connection unexpectedly|connection to server was lost|no connection to the server/,
  /SSL connection has been closed unexpectedly|SSL SYSCALL error|SSL error: unexpected eof/,
  /could not (?:receive data from|send data to) server/,
  /Connection (?:refused|timed out|reset by peer|aborted)|timeout expired|Temporary failure in name resolution/,
  /terminating connection (?:due to (?:administrator command|conflict with recovery)|because of crash)/,
  /canceling statement due to conflict with recovery|deadlock detected|could not serialize access/,
  /the database system is (?:starting up|shutting down|in recovery mode|not yet accepting connections)/,
  /too many clients already|remaining connection slots|too many connections for/,
  // An object was dropped while pg_dump read the catalog.
  /cache lookup failed for|could not open relation with OID/,
  /Max Retries Exceeded|AWS_(?:ERROR_HTTP_(?:CONNECTION|SERVER)_CLOSED|IO_(?:SOCKET|DNS|TLS)_\w+)/,
]

/**
 * Whether another attempt may succeed: the connection broke, the other side was overloaded or starting, a program was
 * killed. Errors that stay (a wrong password, a missing right, damaged data) are not retryable.
 *
 * @param error as it was thrown; its own kind and message count before its cause
 */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof PermanentError) return false
  if (error instanceof TransientError) return true
  if (error instanceof DatabaseError) return isTransientState(error.sqlstate)
  if (error instanceof AwsError && error.code !== '') return TRANSIENT_CODES.test(error.code)
  if (error instanceof ChildError) return isRetryableExit(error)
  return isRetryable(error.cause)
}

/** The kernel sends SIGKILL when memory is short. Any other signal means a crash, or that somebody ended the program. */
function isRetryableExit({ exit, tail }: ChildError): boolean {
  return exit.signal === 'SIGKILL' || TRANSIENT_MESSAGES.some((message) => message.test(tail.join('\n')))
}
