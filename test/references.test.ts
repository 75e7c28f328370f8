// Every stored figure of the reference networks.
import test, { type ExecutionContext } from 'ava'
import { type NdArray, Network, type TangentKernel } from '../lib/index.js'
import { near } from './support/near.js'
import { reference } from './support/reference.js'

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

    near(t, await network.run(truth.input), truth.output, tolerance, 'the output')
    near(t, await network.ntk(truth.input), truth.ntk, tolerance, 'the kernel')
    let compared = 0
    for (const [parameter, value] of await network.jacobian(truth.input)) {
      const label = network.parameters.find(({ name }) => name === parameter)?.label ?? ''
      const stored = await truth.jacobian(label)
      if (!stored) continue
      compared += 1
      // PyTorch's exporter transposes the weights that it renames.
      const own = label === parameter ? value : transposed(value)
      near(t, own, stored, tolerance, `the Jacobian of ${label}`)
    }
    t.is(compared, oracle.jacobians.length)
    const parts = await network.ntk(truth.input, { by: 'parameter', kernel: 'trace' })
    compareTraces(t, parts, oracle.ntk_trace_by_parameter, tolerance)
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
function compareTraces(
  t: ExecutionContext,
  parts: ReadonlyMap<string, TangentKernel>,
  oracle: Readonly<Record<string, number>>,
  tolerance: number,
): void {
  const total = Object.values(oracle).reduce((sum, trace) => sum + trace, 0)
  const left = new Map(Object.entries(oracle))
  const rule = { absolute: tolerance * total }
  const renamed: number[] = []
  for (const [name, part] of parts) {
    const trace = left.get(name)
    if (trace === undefined) renamed.push(part.trace())
    else near(t, part.trace(), trace, rule, `the trace of ${name}`)
    left.delete(name)
  }
  renamed.sort((a, b) => a - b)
  const others = [...left.values()].sort((a, b) => a - b)
  near(t, renamed, others, rule, 'the traces of renamed parameters')
}
