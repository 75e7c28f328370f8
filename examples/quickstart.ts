import { Network, readArray, targetKernel } from 'adaptive-tangent'

const folder = 'examples/fashion-mnist'
const images = await readArray(`${folder}/images.npy`) // (240, 1, 28, 28)
const labels = await readArray(`${folder}/labels.npy`) // (240,)

const before = await Network.load(`${folder}/mlp_init.onnx`)
const after = await before.withParameters(`${folder}/mlp_trained.onnx`)

for (const network of [before, after]) {
  // K[i,j] = Σ_o ⟨∂f_o(x_i)/∂θ, ∂f_o(x_j)/∂θ⟩, exact, computed layer by layer
  const kernel = await network.ntk(images, { kernel: 'trace' })
  console.log('effective rank', await kernel.effectiveRank())
  console.log('alignment', await kernel.alignment(targetKernel(labels), { centred: true }))
}

// The parts add up to the whole.
const layers = await after.ntk(images, { kernel: 'trace', by: 'layer' })
for (const [layer, part] of layers) console.log(layer, part.trace())
for (const network of [before, after]) await network.dispose()
