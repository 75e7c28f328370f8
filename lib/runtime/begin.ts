// How a worker begins: started before anybody knows of what (thread.ts), it gets ready until it is told.
import { once } from 'node:events'
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { TangentError } from '../core/errors.js'
import { native } from '../native/index.js'
import type { WorkerBegin, WorkerInit } from './protocol.js'
import type { WorkerStart } from './thread.js'
import { warmOnnxruntime } from './warm.js'

/** What this worker is for, once somebody has a network. */
export async function architecture(): Promise<WorkerInit> {
  const start = workerData as WorkerStart
  const known = receiveMessageOnPort(start.init)
  // Whoever has a network of its own is told by that what is wrong.
  if (!known) await warmOnnxruntime().catch(() => {})
  Atomics.store(start.loaded, 0, 1)
  const [given] = known ? [known.message] : await once(start.init, 'message')
  start.init.close()
  checkInstance(given as WorkerBegin)
  return given as WorkerInit
}

/** With two libraries in one process, one would take the other's memory for its own. */
function checkInstance({ instance }: WorkerBegin): void {
  if (instance === native.instance) return
  throw new TangentError(
    'FAILED',
    'its compiled core is not the one that this process began with, as when the package is installed or built again meanwhile; start the process again',
  )
}
