// A thread that keeps leases touched: whatever its process computes, it gets its turn.
import { closeSync, futimesSync, openSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { Touching } from './storage.js'

/** What the thread is told. */
export type HeartbeatMessage = { hold: string; touching: Touching } | { drop: string }

export interface HeartbeatData {
  /** Milliseconds between two touches. */
  every: number
}

/** The files themselves, open: one that was taken away and made again by another is not touched. */
const held = new Map<string, number>()
/** Of this thread's own, monotonic clock, so that no two touches are alike. */
const begun = Date.now() - performance.now()

function touch(file: number): void {
  const now = (begun + performance.now()) / 1000
  try {
    futimesSync(file, now, now)
  } catch {
    // The file system is away: the lease runs out, as it should.
  }
}

function drop(key: string): void {
  const file = held.get(key)
  if (file !== undefined) closeSync(file)
  held.delete(key)
}

parentPort?.on('message', (message: HeartbeatMessage) => {
  if ('drop' in message) return drop(message.drop)
  try {
    held.set(message.hold, openSync(message.touching.path, 'r+'))
  } catch {
    // Another has it by now.
  }
})

setInterval(
  () => {
    for (const file of held.values()) touch(file)
  },
  (workerData as HeartbeatData).every,
)
