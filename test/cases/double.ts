// Holds an operator in float64 to central differences of its own float64 forward pass, that to
// onnxruntime's float32, and the passes to each other.
import { type NdArray, Network } from '../../lib/index.js'
import { mustBeNear } from '../support/near.js'
import { model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { bundles, constantsOf, feedsOf, type OpCase } from './check.js'
import { type Draw, joined } from './draw.js'

/** The oldest opset that float64 networks may be written in. */
const oldest = 13

type Doubles = Map<string, NdArray<Float64Array>>

/** Nothing where all agree, or why no form of the operator can be computed in float64. */
export async function checkDouble(row: OpCase): Promise<string | undefined> {
  let why: string | undefined
  for (const [opset, draws] of bundles(row, 1).reverse()) {
    why = await checkDraws(row, Math.max(opset, oldest), draws)
    if (why === undefined) return undefined
  }
  return why
}

async function checkDraws(
  row: OpCase,
  opset: number,
  draws: readonly Draw[],
): Promise<string | undefined> {
  const bytes = model(joined(draws, opset))
  const constants = await constantsOf(bytes, draws)
  const network = await Network.load(bytes, { constants, float64: true, unsupported: 'defer' })
  const single = await Network.load(bytes, { constants })
  try {
    if (network.problem !== null) return network.problem
    const feeds = feedsOf(draws)
    const output = (await network.run(feeds)).data as Float64Array
    compare(row, 'output', output, (await single.run(feeds)).data as Float32Array, 1e-4)
    const direction: Doubles = new Map()
    const random = new Random(4)
    for (const { name, shape, count } of network.parameters)
      direction.set(name, { data: Float64Array.from(random.normals(count)), shape: [...shape] })
    const tangent = (await network.jvp(feeds, direction)).data
    compare(row, 'jvp', tangent, await difference(network, feeds, direction), 1e-6)
    const reverse = new Float64Array(tangent.length)
    for (const [name, { data }] of await network.jacobian(feeds)) {
      const delta = (direction.get(name) as NdArray<Float64Array>).data
      data.forEach((value, e) => {
        const at = Math.floor(e / delta.length)
        reverse[at] = (reverse[at] as number) + value * (delta[e % delta.length] as number)
      })
    }
    compare(row, 'J·Δ', reverse, tangent, 1e-11)
    return undefined
  } finally {
    await network.dispose()
    await single.dispose()
  }
}

/** (f(θ + εΔ) − f(θ − εΔ)) / 2ε in float64. */
async function difference(
  network: Network<Float64Array>,
  feeds: Record<string, NdArray>,
  direction: Doubles,
): Promise<Float64Array> {
  const step = 1e-5
  const [above, below] = await Promise.all(
    [step, -step].map(async (epsilon) => {
      const weights: Doubles = new Map()
      for (const [name, { data, shape }] of direction) {
        const own = network.weight(name).data
        weights.set(name, { data: own.map((w, e) => w + epsilon * (data[e] as number)), shape })
      }
      const moved = await network.withParameters(weights)
      const { data } = await moved.run(feeds)
      await moved.dispose()
      return data as Float64Array
    }),
  )
  return (above as Float64Array).map((value, e) => (value - (below?.[e] ?? 0)) / (2 * step))
}

function compare(
  { op }: OpCase,
  what: string,
  found: ArrayLike<number>,
  truth: ArrayLike<number>,
  share: number,
): void {
  mustBeNear(found, truth, { share, floor: 1 }, `${op}: ${what} in float64`)
}
