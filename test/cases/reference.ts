// The truth that rules are held to: central differences of onnxruntime's own forward.
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { type AttributeValue, type ModelSpec, model, type Tensor } from '../support/onnx.js'
import type { Draw } from './draw.js'

type Precision = 'float64' | 'float32'

function widened(tensor: Tensor): Tensor {
  return tensor.type === 'float32' ? { ...tensor, type: 'float64' } : tensor
}

/** The same network in float64, or as it is, with its parameters as inputs. */
function probe(
  spec: ModelSpec,
  parameters: Record<string, Tensor>,
  precision: Precision,
): Uint8Array {
  const wide = (tensor: Tensor) => (precision === 'float64' ? widened(tensor) : tensor)
  const attribute = (value: AttributeValue): AttributeValue =>
    typeof value === 'object' && 't' in value ? { t: wide(value.t) } : value
  const floatCode = precision === 'float64' ? 11 : 1
  return model({
    ...spec,
    nodes: spec.nodes.map((node) => ({
      ...node,
      attributes: Object.fromEntries(
        Object.entries(node.attributes ?? {}).map(([name, value]) => [
          name,
          node.op === 'Cast' && value === 1 ? floatCode : attribute(value),
        ]),
      ),
    })),
    inputs: [
      ...(spec.inputs ?? []).map((input) => ({
        ...input,
        type: (input.type ?? 'float32') === 'float32' ? precision : (input.type ?? precision),
      })),
      ...Object.entries(parameters).map(([name, { shape }]) => ({ name, type: precision, shape })),
    ],
    outputs: spec.outputs.map((output) => ({ ...output, type: precision })),
    initializers: Object.fromEntries(
      Object.entries(spec.initializers ?? {})
        .filter(([name]) => !(name in parameters))
        .map(([name, tensor]) => [name, wide(tensor)]),
    ),
  })
}

function ortTensor(tensor: Tensor, precision: Precision): OrtTensor {
  const dims = [...tensor.shape]
  const data = Array.from(tensor.data)
  switch (tensor.type) {
    case 'int64':
      return new OrtTensor('int64', BigInt64Array.from(data, BigInt), dims)
    case 'bool':
      return new OrtTensor('bool', Uint8Array.from(data), dims)
    default: {
      // The numbers that the network sees, in either precision.
      const numbers = Float32Array.from(data)
      return precision === 'float64'
        ? new OrtTensor('float64', Float64Array.from(numbers), dims)
        : new OrtTensor('float32', numbers, dims)
    }
  }
}

export interface Differences {
  precision: Precision
  /** (N, O) */
  outputs: Float64Array
  width: number
  /** By parameter (N, O, …shape) of the outputs of its own draw: [first, last). */
  jacobian: Map<string, { first: number; last: number; data: Float64Array }>
}

/** Sessions that onnxruntime has no kernels for in float64 fall back to float32. */
async function session(spec: ModelSpec, parameters: Record<string, Tensor>, only32: boolean) {
  const options = {
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
  } as const
  if (!only32) {
    try {
      const run = await InferenceSession.create(probe(spec, parameters, 'float64'), options)
      return { precision: 'float64', run } as const
    } catch {
      // No kernel for float64.
    }
  }
  const run = await InferenceSession.create(probe(spec, parameters, 'float32'), options)
  return { precision: 'float32', run } as const
}

/**
 * Differences along every parameter. The draws do not touch, so that one run moves one number of
 * each of them.
 */
export async function differences(
  spec: ModelSpec,
  draws: readonly Draw[],
  only32: boolean,
): Promise<Differences> {
  const parameters: Record<string, Tensor> = Object.assign({}, ...draws.map((d) => d.parameters))
  const results = draws.map((draw) => ({ name: draw.result, shape: ['N', 'O'] }))
  const outputs = [...spec.outputs, ...results]
  const { precision, run } = await session({ ...spec, outputs }, parameters, only32)
  const feeds: Record<string, OrtTensor> = {}
  for (const draw of draws)
    for (const [name, tensor] of Object.entries({ ...draw.feeds, ...draw.parameters }))
      feeds[name] = ortTensor(tensor, precision)
  const forward = async () => {
    const { out } = await run.run(feeds, ['out'])
    return Float64Array.from(out?.data as Float64Array)
  }
  const values0 = await forward()
  const samples = draws[0]?.samples ?? 1
  const width = values0.length / samples
  const spans = await outputSpans(run, draws, feeds)

  const jacobian: Differences['jacobian'] = new Map()
  const slots = draws.map((draw, d) => {
    const [first, last] = spans[d] ?? [0, 0]
    return Object.entries(draw.parameters).flatMap(([name, { shape }]) => {
      const size = shape.reduce((product, length) => product * length, 1)
      jacobian.set(name, { first, last, data: new Float64Array(samples * (last - first) * size) })
      return Array.from({ length: size }, (_, e) => ({ name, e, size, first, last }))
    })
  })
  const step = precision === 'float64' ? 2 ** -13 : 2 ** -6
  // f' = (8(f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h, with an error of order h⁴.
  const taps =
    precision === 'float64'
      ? ([
          [1, 0.5],
          [-1, -0.5],
        ] as const)
      : ([
          [1, 2 / 3],
          [-1, -2 / 3],
          [2, -1 / 12],
          [-2, 1 / 12],
        ] as const)
  const longest = Math.max(0, ...slots.map((list) => list.length))
  for (let index = 0; index < longest; index++) {
    const moved = slots.flatMap((list) => list[index] ?? [])
    const before = moved.map(({ name, e }) => Number(feeds[name]?.data[e]))
    for (const [shift, weight] of taps) {
      moved.forEach(({ name, e }, m) => {
        const data = feeds[name]?.data as Float64Array
        data[e] = (before[m] ?? 0) + shift * step
      })
      const values = await forward()
      for (const { name, e, size, first, last } of moved) {
        const entry = jacobian.get(name)
        if (!entry) continue
        for (let i = 0; i < samples; i++)
          for (let o = first; o < last; o++) {
            const at = (i * (last - first) + o - first) * size + e
            entry.data[at] = (entry.data[at] ?? 0) + ((values[i * width + o] ?? 0) * weight) / step
          }
      }
    }
    moved.forEach(({ name, e }, m) => {
      const data = feeds[name]?.data as Float64Array
      data[e] = before[m] ?? 0
    })
  }
  await run.release()
  return { precision, outputs: values0, width, jacobian }
}

/** Which outputs each draw makes, by what its results measure. */
async function outputSpans(
  run: InferenceSession,
  draws: readonly Draw[],
  feeds: Record<string, OrtTensor>,
): Promise<[number, number][]> {
  const names = draws.map((draw) => draw.result)
  const measured = await run.run(feeds, names)
  let at = 0
  return names.map((name) => {
    const first = at
    at += measured[name]?.dims[1] ?? 0
    return [first, at]
  })
}
