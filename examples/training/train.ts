// Trains a small network and keeps its weights along the way:
// node dist/examples/training/train.js FOLDER
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Network, readArray, train } from 'adaptive-tangent'

const [folder = 'out/training'] = process.argv.slice(2)
const data = 'examples/fashion-mnist'
const x = await readArray(`${data}/images.npy`) // (240, 1, 28, 28)
const target = await readArray(`${data}/labels.npy`) // (240,)

await using network = await Network.load(`${data}/mlp_init.onnx`)
await mkdir(folder, { recursive: true })
await writeFile(join(folder, 'start.onnx'), await network.toOnnx())
const { history } = await train(
  network,
  { x, target },
  {
    epochs: 60,
    batch: 24,
    optimizer: { kind: 'sgd', learningRate: 0.02, momentum: 0.9 },
    checkpoints: { folder: join(folder, 'checkpoints'), every: 3 },
  },
)
const last = history.at(-1)
console.log(
  `after ${last?.epoch} epochs: loss ${last?.trainLoss.toFixed(3)}, error ${last?.trainError}`,
)
