// The end of the process while threads compute or load.
import { isMainThread } from 'node:worker_threads'
import { native } from '../native/index.js'

/** Hosts whose workers compute. */
export const busy = new Set<object>()
/** Of threads that are being started: the first number is 1 once all is loaded. */
export const loading = new Set<Int32Array>()
let watching = false
let atOnce = false

function loadsAhead(): boolean {
  try {
    return native.loadsAhead()
  } catch {
    // Where the addon is missing it loads nothing.
    return false
  }
}

/**
 * Lets the process end while onnxruntime still runs: Node would wait for the thread, which may never
 * end, and a thread that is ended while it loads native code takes the process along. Whoever
 * listens for the end after this is called before it.
 */
export function endByForce(): void {
  if (watching || !isMainThread) return
  watching = true
  const end = (code: number) => {
    const loads = [...loading].some((loaded) => Atomics.load(loaded, 0) === 0)
    if (!atOnce && busy.size === 0 && !loads && !loadsAhead()) return
    const listeners = process.listeners('exit')
    for (const listener of listeners.slice(listeners.indexOf(end) + 1)) {
      try {
        listener.call(process, code)
      } catch (error) {
        process.stderr.write(`${(error as Error).stack}\n`)
      }
    }
    try {
      native.exitNow(Number(process.exitCode ?? code))
    } catch {
      // Where the addon is missing no thread loads it.
    }
  }
  process.on('exit', end)
}

/**
 * For a program that is done: its memory goes with the process, which takes Node longer to put in order than
 * a small network takes to run.
 */
export function endAtOnce(): void {
  atOnce = true
}
