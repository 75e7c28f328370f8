// What training did to a network's tangent kernel, on real images: see examples/fashion-mnist.
import { join } from 'node:path'
import { root } from './setup/run.mjs'
import { setup } from './setup.mjs'

await setup()
process.chdir(root)
const data = 'examples/fashion-mnist'
process.argv = [
  ...[process.argv[0] ?? 'node', join(root, 'dist/lib/cli/main.js')],
  ...['probe', `${data}/mlp_init.onnx`, `${data}/mlp_trained.onnx`],
  ...['--input', `${data}/images.npy`, '--target', `${data}/labels.npy`],
  ...['--class-names', `${data}/class-names.txt`, '--out', 'out/demo'],
]
await import(join(root, 'dist/lib/cli/main.js'))
