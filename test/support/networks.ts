// Small networks made on the spot.
import { type NdArray, Network } from '../../lib/index.js'
import type { LoadOptions } from '../../lib/network/network.js'
import { floats, model, type NodeSpec, type Tensor } from './onnx.js'
import type { Random } from './random.js'

export const samples = (random: Random, shape: number[]): NdArray<Float32Array> => ({
  data: random.normals(shape.reduce((product, size) => product * size, 1)),
  shape,
})

/** x (N, widths[0]) → Gemm, Relu, …, Gemm; weights `l.<k>.weight` (out, in), biases. */
export function mlp(
  random: Random,
  widths: readonly number[],
  options: { relu?: boolean; bias?: boolean; batch?: number | string } = {},
): Uint8Array {
  const nodes: NodeSpec[] = []
  const initializers: Record<string, Tensor> = {}
  let value = 'x'
  const depth = widths.length - 1
  for (let k = 0; k < depth; k += 1) {
    const [fanIn, fanOut] = [widths[k] as number, widths[k + 1] as number]
    const scale = Math.sqrt(2 / fanIn)
    initializers[`l.${k}.weight`] = floats(
      [fanOut, fanIn],
      random.normals(fanOut * fanIn).map((w) => w * scale),
    )
    const inputs = [value, `l.${k}.weight`]
    if (options.bias ?? true) {
      initializers[`l.${k}.bias`] = floats([fanOut], random.normals(fanOut))
      inputs.push(`l.${k}.bias`)
    }
    value = k === depth - 1 ? 'y' : `h${k}`
    nodes.push({
      op: 'Gemm',
      inputs,
      outputs: [value],
      attributes: { transB: 1 },
      name: `gemm${k}`,
    })
    if (k < depth - 1 && (options.relu ?? true)) {
      nodes.push({ op: 'Relu', inputs: [value], outputs: [`a${k}`], name: `relu${k}` })
      value = `a${k}`
    }
  }
  const { batch = 'N' } = options
  return model({
    nodes,
    initializers,
    inputs: [{ name: 'x', shape: [batch, widths[0] as number] }],
    outputs: [{ name: 'y', shape: [batch, widths.at(-1) as number] }],
  })
}

export async function load(
  t: { teardown(fn: () => Promise<void>): void },
  source: string | Uint8Array,
  options: LoadOptions = {},
): Promise<Network> {
  const network = await Network.load(source, options)
  t.teardown(() => network.dispose())
  return network
}
