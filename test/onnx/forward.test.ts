// What the engine does with a model's bytes, run through onnxruntime itself.
import { fileURLToPath } from 'node:url'
import test from 'ava'
import ort from 'onnxruntime-node'
import { readArray } from '../../lib/io/index.js'
import {
  appendToModel,
  initializerData,
  makeNode,
  makeValueInfo,
  openModel,
  replaceValues,
  stripInitializers,
  valueInfo,
} from '../../lib/onnx/index.js'
import { near } from '../support/near.js'

const fixtures = fileURLToPath(new URL('../../../test/fixtures', import.meta.url))
const networks = [
  'cnn',
  'mlp_init',
  'mlp_trained',
  'mobilenet',
  'resnet8',
  'resnet8_bn',
  'text',
  'vit',
]

for (const name of networks) {
  test(`${name}: weights as inputs, values tapped, weights replaced`, async (t) => {
    const model = await openModel(`${fixtures}/${name}/model.onnx`)
    const input = await readArray(`${fixtures}/${name}/input_0.pb`)
    const type = input.data instanceof BigInt64Array ? 'int64' : 'float32'
    const inputName = valueInfo(model.graph.input[0]!).name
    const feeds = { [inputName]: new ort.Tensor(type, input.data as Float32Array, input.shape) }
    const output = model.graph.output[0]!.name
    const plain = await ort.InferenceSession.create(model.bytes)
    const expected = (await plain.run(feeds))[output]!.data as Float32Array

    const floats = [...model.initializers].filter(([, tensor]) => tensor.dataType === 1)
    const weights = await Promise.all(
      floats.map(async ([key, tensor]) => [key, await initializerData(model, tensor)] as const),
    )
    const tap = model.graph.node[0]!.output[0]!
    const bytes = appendToModel(
      stripInitializers(
        model,
        floats.map(([key]) => key),
      ),
      {
        inputs: weights.map(([key, { shape }]) => makeValueInfo(key, 1, shape)),
        nodes: [makeNode('Shape', [tap], ['tap-shape'])],
        outputs: [tap, 'tap-shape'],
      },
    )
    const session = await ort.InferenceSession.create(bytes)
    const fed: Record<string, ort.Tensor> = { ...feeds }
    for (const [key, { data, shape }] of weights) {
      fed[key] = new ort.Tensor('float32', data as Float32Array, shape)
    }
    const results = await session.run(fed)
    const found = results[output]!.data as Float32Array
    const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    near(t, found, expected, { absolute: 1e-5 * scale })
    t.deepEqual([...(results['tap-shape']!.data as BigInt64Array)].map(Number), [
      ...results[tap]!.dims,
    ])

    const same = await ort.InferenceSession.create(replaceValues(model, new Map(weights)))
    t.deepEqual((await same.run(feeds))[output]!.data, expected)
  })
}
