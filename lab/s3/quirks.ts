/** How a store may differ from AWS, as real providers do. */
export interface Quirks {
  /** Most parts of an upload (Scaleway: 1000). */
  maxParts?: number
  /** Overwrites although `If-None-Match: *` was sent. */
  ignoreConditions?: boolean
  /** Bucket with Object Lock: a PUT needs Content-MD5 or a checksum. */
  requireChecksum?: boolean
  /** Does not know `aws-chunked` and stores its framing inside the object. */
  keepChunkFraming?: boolean
  /** Answers NotImplemented to ListMultipartUploads. */
  noUploadListing?: boolean
  /** Most entries of a listing's page. */
  pageSize?: number
  /** Says that a listing goes on and does not say where. */
  noContinuation?: boolean
  /** Keys that DeleteObjects refuses, as an Object Lock does. */
  locked?: RegExp
  /** Keys that the policy does not let delete. */
  undeletable?: RegExp
  /** Does not know DeleteObjects. */
  noMultiDelete?: boolean
  /** Keeps versions: a deletion adds a marker. */
  versions?: boolean
  /** A policy lets list the bucket under a condition only: 403 for an object that does not exist. */
  hideAbsent?: boolean
}
