import type { Sink, Source } from '../process/transfer.ts'

/** The address of a dump, and whether it is in AWS, whose console can show it. */
export type Place = { uri: string; onAws: boolean }

/** An object below the storage location; `key` is relative to it. */
export type StoredObject = { key: string; size: number }

/** A transfer that began earlier cannot be running: a job on a self-hosted runner lasts five days at most (GitHub: Actions limits). */
export const LONGEST_TRANSFER_MS = 6 * 24 * 60 * 60 * 1000

/** The key of a text exists already, because another run wrote it first. */
export class TakenError extends Error {
  constructor(key: string, options?: ErrorOptions) {
    super(`${key} exists already; another run wrote it`, options)
  }
}

/** The result of a deletion. */
export type Removal = {
  /** The reason for each key that the place refused to delete; `retained` when a retention holds it. */
  refused: Map<string, { reason: string; retained: boolean }>
  /** The place keeps versions, so that deleted objects still take their space. */
  versionsStay: boolean
}

/** A place for dumps. Every method throws when the place cannot answer; an error is never an empty answer. */
export interface Storage {
  /** Returns the full path or `s3://` address of a key, for people and outputs. */
  address(key: string): string
  /**
   * Checks that the place can be used, and lists what is below a prefix, because one request to a bucket shows both.
   *
   * @returns null when the place can be used and may not be listed, after a warning
   */
  check(prefix: string): Promise<StoredObject[] | null>
  /** Lists every object below a prefix of whole key parts (`''` is everything). */
  list(prefix: string): Promise<StoredObject[]>
  /** Returns why a database of that size cannot be stored here, or null. */
  tooLarge(databaseBytes: number): string | null
  /** Returns the stored bytes of a key, or null when it does not exist. A cancel interrupts it unless it belongs to a commit. */
  size(key: string, options?: { evenWhenCancelled: boolean }): Promise<number | null>
  /** Returns the first bytes of an object, all of them if it is not longer; null when it does not exist. */
  readBeginning(key: string, bytes: number): Promise<Buffer | null>
  /** Reads exactly these small objects. Their sizes must be checked before. */
  readTexts(keys: readonly string[]): Promise<Map<string, string>>
  /**
   * Publishes a small text under a key that must not exist yet.
   *
   * @throws a TakenError when it does
   */
  writeTextOnce(key: string, text: string): Promise<void>
  /** Publishes a small text under a key and replaces another, which stays whole until then. */
  replaceText(key: string, text: string): Promise<void>
  /**
   * Opens an upload. Nothing is visible under its key before `commit`, and nothing is left after `abort`.
   *
   * @param expectedBytes an upper estimate of the dump's size
   */
  upload(key: string, expectedBytes: number): Promise<Sink>
  download(key: string): Promise<Source>
  /** Removes half-written dumps of runs that cannot be alive any more. */
  sweep(): Promise<void>
  /** Ends what a killed upload of this key left open; returns whether there was something. */
  abandon(key: string): Promise<boolean>
  remove(key: string): Promise<void>
  /** Deletes exactly these keys; one that is gone already is no error. */
  removeAll(keys: readonly string[]): Promise<Removal>
}
