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

interface Held {
  touch(): void
  drop(): void
}

const held = new Map<string, Held>()
/** Of this thread's own, monotonic clock, so that no two touches are alike. */
const begun = Date.now() - performance.now()

/** The file itself, open: one that was taken away and made again by another is not touched. */
function heldFile(path: string): Held {
  const file = openSync(path, 'r+')
  return {
    touch: () => {
      const now = (begun + performance.now()) / 1000
      futimesSync(file, now, now)
    },
    drop: () => closeSync(file),
  }
}

async function heldObject(path: string, key: string): Promise<Held> {
  const { BucketStorage } = await import('./bucket.js')
  const storage = new BucketStorage(path)
  const body = await storage.read(key)
  let beats = 0
  return {
    touch: () => {
      beats += 1
      // The same text to whoever reads it, another object to whoever compares.
      const next = Buffer.concat([body ?? Buffer.alloc(0), Buffer.alloc(beats, ' ')])
      if (held.has(key)) storage.touch(key, next).catch(() => {})
    },
    drop: () => {},
  }
}

parentPort?.on('message', async (message: HeartbeatMessage) => {
  if ('drop' in message) {
    held.get(message.drop)?.drop()
    held.delete(message.drop)
    return
  }
  const { hold, touching } = message
  try {
    const { path } = touching
    held.set(hold, touching.kind === 'file' ? heldFile(path) : await heldObject(path, touching.key))
  } catch {
    // Another has it by now.
  }
  parentPort?.postMessage(hold)
})

setInterval(
  () => {
    for (const one of held.values()) {
      try {
        one.touch()
      } catch {
        // The file system is away: the lease runs out, as it should.
      }
    }
  },
  (workerData as HeartbeatData).every,
)
