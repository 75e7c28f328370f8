// Features in factors hold what the Jacobian holds.
import test from 'ava'
import { type NdArray, Network, type ParameterFeatures } from '../lib/index.js'
import { near } from './support/near.js'
import { reference } from './support/reference.js'

// Factors of a convolution are summed over all positions in float32, one after another (1.9e-6 from the
// float64 reference for the CNN's first bias); its Jacobian is summed in parts (2e-7).
const rounding = 3e-6

for (const name of ['mlp_trained', 'cnn', 'resnet8_bn', 'mobilenet'])
  for (const block of [undefined, 1, 4]) {
    test(`${name}: factors multiply out to the Jacobian, blocks of ${block ?? 'any'}`, async (t) => {
      const { model, input } = await reference(name)
      const network = await Network.load(model)
      t.teardown(() => network.dispose())
      const options = { outputs: [7, 2, 3], ...(block ? { block } : {}) }
      const jacobian = await network.jacobian(input, options)
      const features = await network.features(input, options)
      t.deepEqual([...features.keys()], [...jacobian.keys()])
      let factored = 0
      for (const [parameter, found] of features) {
        const truth = jacobian.get(parameter) as NdArray
        t.deepEqual(found.shape, truth.shape.slice(2))
        factored += found.kind === 'factors' ? 1 : 0
        near(t, expanded(found), truth, rounding, parameter)
        if (found.kind !== 'factors' || found.bias === undefined) continue
        near(t, biasOf(found), jacobian.get(found.bias) as NdArray, rounding)
      }
      t.true(factored > 0)
    })
  }

function expanded(features: ParameterFeatures): NdArray {
  if (features.kind === 'dense') return features.x
  if (features.kind === 'rows') throw new Error('no rows are picked by number here')
  const { delta, h, transposed, shape } = features
  const [n, o, positions, m] = delta.shape as [number, number, number, number]
  const k = h.shape[2] as number
  const data = new Float64Array(n * o * m * k)
  for (let row = 0; row < n * o; row += 1)
    for (let t = 0; t < positions; t += 1)
      for (let r = 0; r < m; r += 1) {
        const d = delta.data[(row * positions + t) * m + r] as number
        for (let c = 0; c < k; c += 1) {
          const at = row * m * k + (transposed ? c * m + r : r * k + c)
          const value = h.data[(Math.floor(row / o) * positions + t) * k + c] as number
          data[at] = (data[at] as number) + d * value
        }
      }
  return { data, shape: [n, o, ...shape] }
}

function biasOf({ delta }: ParameterFeatures & { kind: 'factors' }): NdArray {
  const [n, o, positions, m] = delta.shape as [number, number, number, number]
  const data = new Float64Array(n * o * m)
  delta.data.forEach((value, e) => {
    const at = Math.floor(e / (positions * m)) * m + (e % m)
    data[at] = (data[at] as number) + value
  })
  return { data, shape: [n, o, m] }
}
