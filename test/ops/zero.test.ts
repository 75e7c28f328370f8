// Nothing flows through a cotangent or tangent of 0, whatever stands on the other side of the
// product: every operator, with operands in which some numbers are infinite or none at all.
import test from 'ava'
import type { NdArray } from '../../lib/index.js'
import { arrayOf, bundles, loaded, samples } from '../cases/check.js'
import { count, type Draw, joined } from '../cases/draw.js'
import { opCases } from '../cases/ops.js'
import { type ModelSpec, model, type NodeSpec, type Tensor } from '../support/onnx.js'
import { Random } from '../support/random.js'

/** Numbers that spoil others, each where its mask says. */
const bad = [Number.NaN, Infinity, -Infinity]

/** The network with a third of the entries of every float operand of a draw spoilt. */
function spoilt(draws: readonly Draw[], opset: number): ModelSpec {
  const spec = joined(draws, opset)
  const random = new Random(99)
  const nodes: NodeSpec[] = []
  const initializers: Record<string, Tensor> = { ...spec.initializers }
  bad.forEach((value, b) => {
    initializers[`bad${b}`] = { type: 'float32', shape: [], data: [value] }
  })
  const renamed = new Map<string, string>()
  const spoil = (name: string, shape: readonly number[]) => {
    let last = name
    bad.forEach((_, b) => {
      const data = Array.from({ length: count(shape) }, () => (random.chance(0.1) ? 1 : 0))
      initializers[`${name}_mask${b}`] = { type: 'bool', shape, data }
      const next = `${name}_spoilt${b}`
      nodes.push({ op: 'Where', inputs: [`${name}_mask${b}`, `bad${b}`, last], outputs: [next] })
      last = next
    })
    renamed.set(name, last)
  }
  for (const draw of draws) {
    for (const [name, { type, shape }] of Object.entries(draw.feeds))
      if (type === 'float32') spoil(name, [1, ...shape.slice(1)])
    for (const [name, { shape }] of Object.entries(draw.parameters)) spoil(name, shape)
  }
  const own = spec.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((input) => renamed.get(input) ?? input),
  }))
  return { ...spec, nodes: [...nodes, ...own], initializers }
}

// What is not finite has no place in a range's bounds, which say how long it is.
for (const row of opCases.filter(({ op }) => op !== 'Range')) {
  test(`${row.op}: nothing flows through zeros`, async (t) => {
    let tried = 0
    for (const [opset, draws] of bundles({ ...row, draws: 8, together: 8 }, 5)) {
      if (opset < 9) continue
      const network = await loaded(model(spoilt(draws, opset)), draws)
      try {
        const feeds: Record<string, NdArray> = {}
        for (const draw of draws)
          for (const [name, { type, shape, data }] of Object.entries(draw.feeds))
            feeds[name] = {
              shape: [...shape],
              data: arrayOf(type, data),
              ...(type === 'bool' ? { boolean: true } : {}),
            }
        const width = (await network.run(feeds)).shape[1] ?? 0
        const zeros = { data: new Float32Array(samples * width), shape: [samples, width] }
        for (const [name, { data }] of await network.vjp(feeds, zeros))
          t.true(
            data.every((value) => value === 0),
            `vjp of ${name} in opset ${opset}`,
          )
        const still = new Map(
          network.parameters
            .filter(({ frozen }) => !frozen)
            .map(({ name, shape, count: size }) => [
              name,
              { data: new Float32Array(size), shape: [...shape] },
            ]),
        )
        const { data } = await network.jvp(feeds, still)
        t.true(
          data.every((value) => value === 0),
          `jvp in opset ${opset}`,
        )
        tried += draws.length
      } finally {
        await network.dispose()
      }
    }
    t.true(tried > 0)
  })
}
