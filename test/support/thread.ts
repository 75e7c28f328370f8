// Runs in a worker thread of a test: a network that lives there.
import { parentPort, workerData } from 'node:worker_threads'
import { Network, readTensor } from '../../lib/index.js'

const { model, input, leave } = workerData as { model: string; input: string; leave?: boolean }
const network = await Network.load(model)
const { data, shape } = await network.ntk(await readTensor(input))
if (!leave) await network.dispose()
parentPort?.postMessage({ data: data.slice(), shape })
