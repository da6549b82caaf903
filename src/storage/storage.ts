import type { Sink, Source } from '../process/transfer.ts'

/** Where a dump is: its address, and whether that is in AWS, whose console can show it. */
export type Place = { uri: string; onAws: boolean }

/** An object below the storage location; `key` is relative to it. */
export type StoredObject = { key: string; size: number }

/** Milliseconds after which a transfer that has not ended is taken for dead; no job of GitHub's lasts a day and goes on. */
export const ABANDONED = 24 * 60 * 60 * 1000

/** The key of a text exists already: another run was faster. */
export class TakenError extends Error {
  constructor(key: string, options?: ErrorOptions) {
    super(`${key} exists already; another run wrote it`, options)
  }
}

/** What a deletion left. */
export type Removal = {
  /** Why, for each key that the place would not delete; `retained` when a retention holds it and not a missing right. */
  refused: Map<string, { reason: string; retained: boolean }>
  /** The place keeps versions: what was deleted still takes its space. */
  versionsStay: boolean
}

/** A place for dumps. Every method throws when the place cannot answer; an error is never an empty answer. */
export interface Storage {
  /** The full path or `s3://` address of a key, for people and outputs. */
  address(key: string): string
  /** Checks that the place answers, before work is begun that would be lost. */
  check(): Promise<void>
  /** Every object below a prefix of whole key parts (`''` is everything). */
  list(prefix: string): Promise<StoredObject[]>
  /** Why a dump of a database of so many bytes cannot be stored here, or null. */
  tooLarge(databaseBytes: number): string | null
  /** Stored bytes of a key, or null when it does not exist. */
  size(key: string): Promise<number | null>
  /** The texts of small objects, by key. */
  readTexts(keys: readonly string[], prefix: string): Promise<Map<string, string>>
  /**
   * Publishes a small text under a key that must not exist yet.
   *
   * @throws a TakenError when it does
   */
  writeTextOnce(key: string, text: string): Promise<void>
  /** Publishes a small text under a key in the place of another, which stays whole until then. */
  replaceText(key: string, text: string): Promise<void>
  /**
   * A dump on its way in. Nothing is visible under its key before `commit`; after `abort` nothing stays behind.
   *
   * @param expectedBytes an upper estimate of the dump's size
   */
  upload(key: string, expectedBytes: number): Promise<Sink>
  download(key: string): Promise<Source>
  /** Removes what killed runs left half-written, when it is more than a day old. */
  sweep(): Promise<void>
  /** Ends what a killed upload of this key left open. */
  abandon(key: string): Promise<void>
  remove(key: string): Promise<void>
  /** Deletes exactly these keys; one that is gone already is no error. */
  removeAll(keys: readonly string[]): Promise<Removal>
}
