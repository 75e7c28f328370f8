// Every stored figure of the reference networks.
import test from 'ava'
import { type NdArray, Network, type TangentKernel } from '../lib/index.js'
import { reference, relativeError } from './support/reference.js'

const tolerance = 1e-4
const names = [
  'mlp_init',
  'mlp_trained',
  'cnn',
  'resnet8',
  'resnet8_bn',
  'mobilenet',
  'vit',
  'text',
]

for (const name of names) {
  test(`${name}: output, kernel, Jacobians and traces`, async (t) => {
    const truth = await reference(name)
    const network = await Network.load(truth.model)
    t.teardown(() => network.dispose())
    const { oracle } = truth
    t.is(network.parameters.length, Object.keys(oracle.parameters).length)
    t.is(
      network.parameters.reduce((sum, { count }) => sum + count, 0),
      oracle.parameter_count,
    )

    const figures: Record<string, number> = {}
    figures.output = relativeError(await network.run(truth.input), truth.output)
    figures.ntk = relativeError(await network.ntk(truth.input), truth.ntk)
    figures.jacobian = 0
    let compared = 0
    for (const [parameter, value] of await network.jacobian(truth.input)) {
      const label = network.parameters.find(({ name }) => name === parameter)?.label ?? ''
      const stored = await truth.jacobian(label)
      if (!stored) continue
      compared += 1
      // PyTorch's exporter transposes the weights that it renames.
      const own = label === parameter ? value : transposed(value)
      figures.jacobian = Math.max(figures.jacobian, relativeError(own, stored))
    }
    t.is(compared, oracle.jacobians.length)
    const parts = await network.ntk(truth.input, { by: 'parameter', kernel: 'trace' })
    figures.trace = traceError(parts, oracle.ntk_trace_by_parameter)
    t.log(figures)
    for (const [what, figure] of Object.entries(figures))
      t.true(figure < tolerance, `${what} ${figure}`)
  })
}

/** The last two dimensions exchanged. */
function transposed({ data, shape }: NdArray): NdArray {
  const [rows = 0, columns = 0] = shape.slice(-2)
  const out = new Float32Array(data.length)
  for (let start = 0; start < data.length; start += rows * columns) {
    for (let i = 0; i < rows; i += 1) {
      for (let j = 0; j < columns; j += 1) {
        out[start + j * rows + i] = Number(data[start + i * columns + j])
      }
    }
  }
  return { data: out, shape: [...shape.slice(0, -2), columns, rows] }
}

/**
 * Traces by parameter against the oracle's. Exporters rename some parameters: those are matched by
 * their value, in order.
 */
function traceError(
  parts: ReadonlyMap<string, TangentKernel>,
  oracle: Readonly<Record<string, number>>,
): number {
  const total = Object.values(oracle).reduce((sum, trace) => sum + trace, 0)
  const left = new Map(Object.entries(oracle))
  let worst = 0
  const renamed: number[] = []
  for (const [name, part] of parts) {
    const trace = left.get(name)
    if (trace === undefined) renamed.push(part.trace())
    else worst = Math.max(worst, Math.abs(part.trace() - trace) / total)
    left.delete(name)
  }
  renamed.sort((a, b) => a - b)
  const others = [...left.values()].sort((a, b) => a - b)
  if (others.length !== renamed.length) return Infinity
  others.forEach((trace, k) => {
    worst = Math.max(worst, Math.abs(trace - (renamed[k] as number)) / total)
  })
  return worst
}
