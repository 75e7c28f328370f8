// The fitted model as ONNX gives what `predict` gives, on every reference network.
import test from 'ava'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { exportFitted } from '../../lib/fit/export.js'
import type { NdArray } from '../../lib/index.js'
import { near } from '../support/near.js'
import { first, fitOf, fits } from './fits.js'

async function run(bytes: Uint8Array, x: NdArray): Promise<NdArray<Float32Array>> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 })
  const [name = ''] = session.inputNames
  const type = x.data instanceof BigInt64Array ? 'int64' : 'float32'
  const results = await session.run({ [name]: new Tensor(type, x.data as never, x.shape) })
  await session.release()
  const { data, dims } = results.prediction as Tensor
  return { data: data as Float32Array, shape: [...dims] }
}

for (const name of Object.keys(fits)) {
  test(`${name}: the exported file predicts as the model does`, async (t) => {
    const { network, fitted, width, input } = await fitOf(name)
    t.teardown(() => network.dispose())
    const bytes = await exportFitted(fitted, network)
    for (const samples of [1, 5]) {
      const x = first(input, samples)
      const found = await run(bytes, x)
      t.deepEqual(found.shape, [samples, width])
      near(t, found.data, (await fitted.predict(network, x)).data, 1e-5, `${samples} samples`)
    }
  })
}
