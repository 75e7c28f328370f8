// Where a store's files lie: a folder, or a bucket of an S3-compatible service.
import { TangentError } from '../core/errors.js'

/** The file system or the service does not answer: it may do so later. */
export class StorageAway extends TangentError {
  constructor(message: string, options?: ErrorOptions) {
    super('FAILED', message, options)
  }
}

/**
 * Files by name, such as `c/0/1`. None is ever changed: each is there whole or not at all, and what is
 * written has reached the disk, its name included, when the call returns.
 */
export interface Storage {
  /** Of the whole, for messages. */
  readonly name: string
  read(key: string): Promise<Uint8Array | undefined>
  /** Puts a file in the place of what may be there. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** The same where nothing is there yet. @returns whether it was so. */
  create(key: string, bytes: Uint8Array): Promise<boolean>
  /** The name of something that lies in it, whatever it is; undefined where nothing does. */
  any(): Promise<string | undefined>
  /** Names of the files in a folder. */
  list(folder: string): Promise<string[]>
  remove(key: string): Promise<void>
  /**
   * Another text whenever the file was written or touched, whatever is cached; undefined where none is there.
   * To be compared, never to be read as a time: clocks differ.
   */
  mark(key: string): Promise<string | undefined>
  /** What is free; undefined where that has no meaning. */
  free(): Promise<Room | undefined>
  /** How a thread of its own keeps a file touched: plain data for lib/store/heartbeat.ts. */
  touching(key: string): Touching
}

export interface Room {
  /** Bytes. */
  free: number
  /** Bytes of a block: a file takes whole ones. */
  block: number
  /** Files that there is room for; infinite where the file system does not say. */
  files: number
}

export type Touching =
  | { kind: 'file'; path: string }
  | { kind: 'bucket'; path: string; key: string }
