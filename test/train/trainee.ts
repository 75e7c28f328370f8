// A training that is killed: `node trainee.js <model.onnx> <options as JSON> <folder>`.
import { Network, type TrainOptions, train } from '../../lib/index.js'
import { classes } from './sets.js'

const [path = '', options = '{}', folder = ''] = process.argv.slice(2)
const network = await Network.load(path)
await train(network, classes(), {
  ...(JSON.parse(options) as TrainOptions),
  checkpoints: { folder },
  onEpoch: ({ epoch }) => process.stdout.write(`epoch ${epoch}\n`),
})
