// The threads that workers run in. One is started while a model is read: it has loaded its files and
// onnxruntime by the time of the first call.
import { isMainThread, MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { addressSpaceLeft } from '../core/memory.js'
import { workerOptions } from '../core/threads.js'
import { onnxruntimeLibrary } from '../native/binary.js'
import { native } from '../native/index.js'
import { endByForce, loading } from './exit.js'
import type { WorkerBegin } from './protocol.js'

/** What a worker starts with; its architecture comes later. */
export interface WorkerStart {
  init: MessagePort
  /** Its first number is 1 once all is loaded. */
  loaded: Int32Array
}

const ownEntry = new URL('../worker.js', import.meta.url)

interface Started extends WorkerStart {
  worker: Worker
}

/** Nobody's yet. */
let spare: Started | undefined

function start(entry: URL): Started {
  const { port1, port2 } = new MessageChannel()
  const loaded = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(entry, {
    ...workerOptions,
    workerData: { init: port2, loaded } satisfies WorkerStart,
    transferList: [port2],
    name: 'adaptive-tangent worker',
  })
  worker.unref()
  port1.unref()
  return { worker, init: port1, loaded }
}

/** Starts a thread for the next architecture whose calls need one, unless one waits already. */
export function warmUp(): void {
  // In a thread it could not be kept from being ended while it loads; where the address space is limited
  // there may be no room for one that is not needed.
  if (spare || !isMainThread || addressSpaceLeft() < Infinity) return
  const started = start(ownEntry)
  spare = started
  endByForce()
  loading.add(started.loaded)
  loadLibrary()
  // Whoever needs one starts another then, and is told what is wrong.
  const gone = () => {
    loading.delete(started.loaded)
    if (spare === started) spare = undefined
  }
  started.worker.once('error', gone).once('exit', gone)
}

let isLoaded = false

/** Meanwhile what the thread will need of native code, which does not wait for its JavaScript then. */
function loadLibrary(): void {
  if (isLoaded) return
  isLoaded = true
  try {
    const library = onnxruntimeLibrary()
    if (library !== undefined) native.loadAhead(library)
  } catch {
    // Whoever needs it is told what is missing.
  }
}

/** A thread for an architecture. @param entry the worker's file, where tests want another. */
export function takeThread(begin: WorkerBegin, entry = ownEntry): Worker {
  const started = (entry === ownEntry ? spare : undefined) ?? start(entry)
  if (started === spare) spare = undefined
  started.init.postMessage(begin)
  return started.worker
}
