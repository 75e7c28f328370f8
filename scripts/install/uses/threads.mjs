// The package in a thread other than the first, and in two at once.
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { buildMlp, Network } from 'adaptive-tangent'

async function trace() {
  const network = await Network.load(
    await buildMlp({ inputs: 8, hidden: [16], outputs: 3, seed: 1 }),
  )
  const x = { shape: [4, 8], data: Float32Array.from({ length: 32 }, (_, k) => Math.sin(k)) }
  const value = (await network.ntk(x, { kernel: 'trace' })).trace()
  await network.dispose()
  return value
}

if (isMainThread) {
  const threads = [1, 2].map(
    () =>
      new Promise((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url))
        worker.once('message', resolve)
        worker.once('error', reject)
      }),
  )
  const values = await Promise.all(threads.concat(trace()))
  const [first] = values
  if (!values.every((value) => Math.abs(value / first - 1) < 1e-6)) throw new Error(String(values))
} else {
  parentPort?.postMessage(await trace())
}
