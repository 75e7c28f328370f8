// Weights in a constant's role: constants by default, listed, asked for by name, and whole as soon
// as they have another use.
import test from 'ava'
import { Network } from '../../lib/index.js'
import type { LoadOptions } from '../../lib/network/network.js'
import { near } from '../support/near.js'
import { load } from '../support/networks.js'
import { floats, type ModelSpec, model } from '../support/onnx.js'

const x = { data: Float32Array.from([0.5, 1.5, 2, 0.7]), shape: [2, 2] }
const [p0, w0] = [2.5, [0.8, -1.2]] as const

/** y = x^p·w, with `more` made of it. */
function power(more: Pick<ModelSpec, 'nodes'> & Partial<ModelSpec> = { nodes: [] }): Uint8Array {
  const last = more.nodes.length > 0 ? 'h' : 'y'
  return model({
    inputs: [{ name: 'x', shape: ['N', 2] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
    ...more,
    nodes: [
      { op: 'Pow', inputs: ['x', 'p'], outputs: ['a'] },
      { op: 'Mul', inputs: ['a', 'w'], outputs: [last] },
      ...more.nodes,
    ],
    initializers: { p: floats([1], [p0]), w: floats([2], w0), ...more.initializers },
  })
}

const names = (network: Network) => network.parameters.map(({ name }) => name)

/** ∂y_o/∂p of x^p·w + factor·p. */
function byExponent(i: number, o: number, factor = 0): number {
  const v = x.data[2 * i + o] as number
  return (w0[o] as number) * v ** p0 * Math.log(v) + factor
}

test('an exponent is a constant by default, listed, and a parameter when it is named', async (t) => {
  const plain = await load(t, power())
  t.deepEqual(names(plain), ['w'])
  t.deepEqual([...plain.constants], [['p', 'an exponent']])
  const asked: [LoadOptions, string[]][] = [
    [{ parameters: 'p' }, ['p', 'w']],
    [{ parameters: ['w', 'p'] }, ['p', 'w']],
    [{ constants: ['p'] }, ['p', 'w']],
    // Patterns and `all` do not reach into such roles.
    [{ parameters: /./ }, ['w']],
    [{ constants: 'all' }, ['w']],
    [{ constants: 'none' }, ['w']],
  ]
  for (const [options, expected] of asked) {
    const network = await load(t, power(), options)
    t.deepEqual(names(network), expected, JSON.stringify(options))
    if (!expected.includes('p')) continue
    t.is(network.constants.size, 0)
    const found = (await network.jacobian(x)).get('p')
    for (const i of [0, 1])
      for (const o of [0, 1]) near(t, found?.data[2 * i + o], byExponent(i, o), { absolute: 1e-5 })
  }
})

test('any other use makes it a parameter with its whole derivative', async (t) => {
  const nodes = [
    { op: 'Mul', inputs: ['p', 'three'], outputs: ['s'] },
    { op: 'Add', inputs: ['h', 's'], outputs: ['y'] },
  ]
  const bytes = power({ nodes, initializers: { three: floats([], [3]) } })
  const network = await load(t, bytes)
  t.deepEqual(names(network), ['p', 'w'])
  const found = (await network.jacobian(x)).get('p')
  for (const i of [0, 1])
    for (const o of [0, 1]) near(t, found?.data[2 * i + o], byExponent(i, o, 3), { absolute: 1e-5 })
  // Left out, it is a constant in both places.
  const frozen = await load(t, bytes, { frozen: 'p' })
  t.deepEqual([...(await frozen.jacobian(x)).keys()], ['w'])
})

test('a comparison is no other use; a use for another output is', async (t) => {
  const compared = power({
    nodes: [
      { op: 'Less', inputs: ['x', 'p'], outputs: ['below'] },
      { op: 'Where', inputs: ['below', 'h', 'x'], outputs: ['y'] },
    ],
  })
  t.deepEqual(names(await load(t, compared)), ['w'])
  const second = power({
    nodes: [
      { op: 'Identity', inputs: ['h'], outputs: ['y'] },
      { op: 'Mul', inputs: ['x', 'p'], outputs: ['z'] },
    ],
    outputs: [
      { name: 'y', shape: ['N', 2] },
      { name: 'z', shape: ['N', 2] },
    ],
  })
  t.deepEqual(names(await load(t, second)), ['p', 'w'])
})

test('copies have roles of their own, unless they are tied', async (t) => {
  const bytes = model({
    inputs: [{ name: 'x', shape: ['N', 2] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
    nodes: [
      { op: 'Identity', inputs: ['p'], outputs: ['copy'] },
      { op: 'Pow', inputs: ['x', 'copy'], outputs: ['a'] },
      { op: 'Mul', inputs: ['a', 'p'], outputs: ['y'] },
    ],
    initializers: { p: floats([1], [p0]) },
  })
  const apart = await load(t, bytes)
  t.deepEqual(names(apart), ['p'])
  t.deepEqual([...apart.constants], [['copy', 'an exponent']])
  const [half, whole] = [apart, await load(t, bytes, { tied: true })]
  const v = x.data[0] as number
  near(t, (await half.jacobian(x)).get('p')?.data[0], v ** p0, { absolute: 1e-5 })
  const both = v ** p0 * (1 + p0 * Math.log(v))
  near(t, (await whole.jacobian(x)).get('p')?.data[0], both, { absolute: 1e-5 })
})

test('a file whose weights are all constants says which, and how to ask for them', async (t) => {
  const bytes = model({
    inputs: [{ name: 'x', shape: ['N', 2] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
    nodes: [{ op: 'Pow', inputs: ['x', 'p'], outputs: ['y'] }],
    initializers: { p: floats([1], [p0]) },
  })
  await t.throwsAsync(Network.load(bytes), {
    code: 'UNSUPPORTED',
    message: /"p" \(an exponent\).*constants/,
  })
  t.deepEqual(names(await load(t, bytes, { parameters: 'p' })), ['p'])
})
