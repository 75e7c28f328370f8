// Recurrent layers: value and tangent of their states together in a Scan. Forms that few networks use
// (other activations, peepholes, clipping, lengths of their own for each sample) have none.
import type { Maths } from '../maths.js'
import type { Rules, TangentCall, TangentRule } from '../rule.js'

/** A value and its tangent; undefined where it does not change. */
interface Pair {
  value: string
  tangent: string | undefined
}

/** What a cell does in one step: the gates' shares of the input, states, and the recurrent weights. */
interface Step {
  m: Maths
  size: number
  /** Wx + Wb + Rb of all gates (GRU with its gate after the product: without Rb of the last gate). */
  input: Pair
  states: Pair[]
  /** Rᵀ of all gates, (H, gates·H). */
  weights: Pair
  /** Rb of the last gate, where it belongs into a product. */
  bias: Pair | undefined
}

/** The step's tangents are always written: most are not 0 from the second step on. */
type Full = { value: string; tangent: string }

interface Cell {
  gates: number
  states: number
  activations: readonly string[]
  step(step: Step): Full[]
}

function plus(m: Maths, a: Pair, b: Pair): Pair {
  return { value: m.sum(a.value, b.value), tangent: m.add(a.tangent, b.tangent) }
}

function product(m: Maths, op: 'MatMul' | 'Mul', a: Pair, b: Pair): Pair {
  const left = a.tangent === undefined ? undefined : m.op(op, [a.tangent, b.value])
  const right = b.tangent === undefined ? undefined : m.op(op, [a.value, b.tangent])
  return { value: m.op(op, [a.value, b.value]), tangent: m.add(left, right) }
}

function sigmoid(m: Maths, x: Pair): Pair {
  const value = m.op('Sigmoid', [x.value])
  return { value, tangent: x.tangent && m.times(x.tangent, m.logisticSlope(x.value)) }
}

function tanh(m: Maths, x: Pair): Pair {
  const value = m.op('Tanh', [x.value])
  const slope = () => m.minus(m.number(1), m.square(value))
  return { value, tangent: x.tangent && m.times(x.tangent, slope()) }
}

function parts(m: Maths, x: Pair, count: number, size: number): Pair[] {
  const values = m.split(x.value, count, size)
  const tangents = x.tangent === undefined ? [] : m.split(x.tangent, count, size)
  return values.map((value, k) => ({ value, tangent: tangents[k] }))
}

function full(m: Maths, { value, tangent }: Pair): Full {
  return { value, tangent: tangent ?? m.zeros(value) }
}

const cells: Readonly<Record<string, Cell>> = {
  RNN: {
    gates: 1,
    states: 1,
    activations: ['Tanh'],
    step({ m, input, states: [h], weights }) {
      return [full(m, tanh(m, plus(m, input, product(m, 'MatMul', h as Pair, weights))))]
    },
  },
  // Gates in the order input, output, forget, cell.
  LSTM: {
    gates: 4,
    states: 2,
    activations: ['Sigmoid', 'Tanh', 'Tanh'],
    step({ m, size, input, states: [h, c], weights }) {
      const all = plus(m, input, product(m, 'MatMul', h as Pair, weights))
      const [i, o, f, g] = parts(m, all, 4, size) as [Pair, Pair, Pair, Pair]
      const kept = product(m, 'Mul', sigmoid(m, f), c as Pair)
      const cell = plus(m, kept, product(m, 'Mul', sigmoid(m, i), tanh(m, g)))
      return [full(m, product(m, 'Mul', sigmoid(m, o), tanh(m, cell))), full(m, cell)]
    },
  },
  // Gates in the order update, reset, hidden.
  GRU: {
    gates: 3,
    states: 1,
    activations: ['Sigmoid', 'Tanh'],
    step({ m, size, input, states: [h], weights, bias }) {
      const state = h as Pair
      const [xz, xr, xh] = parts(m, input, 3, size) as [Pair, Pair, Pair]
      const [wz, wr, wh] = parts(m, weights, 3, size) as [Pair, Pair, Pair]
      const z = sigmoid(m, plus(m, xz, product(m, 'MatMul', state, wz)))
      const r = sigmoid(m, plus(m, xr, product(m, 'MatMul', state, wr)))
      const inside = bias
        ? product(m, 'Mul', r, plus(m, product(m, 'MatMul', state, wh), bias))
        : product(m, 'MatMul', product(m, 'Mul', r, state), wh)
      const hidden = tanh(m, plus(m, xh, inside))
      // h′ = hidden + z·(h − hidden)
      const apart: Pair = {
        value: m.minus(state.value, hidden.value),
        tangent: m.minus(full(m, state).tangent, full(m, hidden).tangent),
      }
      return [full(m, plus(m, hidden, product(m, 'Mul', z, apart)))]
    },
  },
}

/** Value and tangent of an input, one direction of it where it has one for each. */
function direction(call: TangentCall, k: number, d: number): Pair {
  const m = call.maths
  const take = (value: string) => m.squeeze(m.op('Gather', [value, m.ints(d)]), 0)
  const tangent = call.tangent(k)
  return { value: take(call.input(k)), tangent: tangent && take(tangent) }
}

function turned(m: Maths, { value, tangent }: Pair): Pair {
  const turn = (a: string) => m.op('Transpose', [a])
  return { value: turn(value), tangent: tangent && turn(tangent) }
}

/** A stored bias (2·gates·H) as the input's share and the recurrent one. */
function biases(call: TangentCall, cell: Cell, d: number, size: number) {
  if (!call.has(3)) return undefined
  const m = call.maths
  const [own, back] = parts(m, direction(call, 3, d), 2, cell.gates * size) as [Pair, Pair]
  if (cell.gates !== 3 || call.integer('linear_before_reset', 0) === 0) {
    return { input: plus(m, own, back), hidden: undefined }
  }
  const [z, r, h] = parts(m, back, 3, size) as [Pair, Pair, Pair]
  const joined = (values: (string | undefined)[]) =>
    values.every((value) => value === undefined)
      ? undefined
      : m.op('Concat', values as string[], { axis: { i: 0 } })
  const none = m.zeros(h.value)
  const some = joined([z.tangent, r.tangent, back.tangent && none])
  const rest = { value: joined([z.value, r.value, none]) as string, tangent: some }
  return { input: plus(m, own, rest), hidden: h }
}

/** The states' tangents along one direction: last of each, and the first state's at every step. */
function along(call: TangentCall, cell: Cell, d: number, reversed: boolean): string[] {
  const m = call.maths
  const size = call.integer('hidden_size', 0)
  const x: Pair = { value: call.input(0), tangent: call.tangent(0) }
  const bias = biases(call, cell, d, size)
  let input = product(m, 'MatMul', x, turned(m, direction(call, 1, d)))
  if (bias) {
    const value = m.sum(input.value, bias.input.value)
    const { tangent } = bias.input
    const spread = input.tangent === undefined && tangent ? m.spread(tangent, value) : tangent
    input = { value, tangent: m.add(input.tangent, spread) }
  }
  const weights = turned(m, direction(call, 2, d))
  const batch = m.op('Gather', [m.shapeOf(call.input(0)), m.ints(1)])
  const shape = m.op('Concat', [batch, m.ints(size)], { axis: { i: 0 } })
  const blank = () => m.op('ConstantOfShape', [shape])
  const states = Array.from({ length: cell.states }, (_, k) =>
    call.has(5 + k) ? direction(call, 5 + k, d) : { value: blank(), tangent: undefined },
  )
  const pairs = states.flatMap(({ value, tangent }) => [value, tangent ?? blank()])
  const scanned = [input.value, input.tangent ?? m.zeros(input.value)]
  const hidden = bias?.hidden
  const linear = call.integer('linear_before_reset', 0) !== 0
  const results = m.scan(pairs, scanned, reversed, (inner, own, slices) => {
    const present = states.map((_, k) => ({ value: own[2 * k] ?? '', tangent: own[2 * k + 1] }))
    const none: Pair = { value: inner.number(0), tangent: undefined }
    const next = cell.step({
      m: inner,
      size,
      input: { value: slices[0] as string, tangent: slices[1] },
      states: present,
      weights,
      bias: cell.gates === 3 && linear ? (hidden ?? none) : undefined,
    })
    const list = next.flatMap(({ value, tangent }) => [value, tangent])
    return { next: list, listed: [next[0]?.tangent as string] }
  })
  return [results.at(-1) as string, ...states.map((_, k) => results[2 * k + 1] as string)]
}

function recurrent(cell: Cell): TangentRule {
  return {
    tangent(call) {
      const m = call.maths
      const kind = call.text('direction', 'forward')
      const ways = kind === 'bidirectional' ? [false, true] : [kind === 'reverse']
      const found = ways.map((reversed, d) => along(call, cell, d, reversed))
      return call.node.output.map((name, j) => {
        const axis = j === 0 ? 1 : 0
        const each = found.map((values) => m.unsqueeze(values[j] as string, axis))
        if (name === '') return undefined
        return each.length > 1 ? m.op('Concat', each, { axis: { i: axis } }) : each[0]
      })
    },
    refuse(call) {
      if (call.has(4)) return 'its samples have lengths of their own'
      if (call.has(7)) return 'its gates look into the cell (peepholes)'
      if (call.integer('layout', 0) !== 0) return 'its samples lie on the first axis (layout)'
      if (call.attribute('clip')) return 'it clips'
      if (call.integer('input_forget', 0) !== 0) return 'its gates are coupled'
      if (call.integer('hidden_size', 0) === 0) return 'its size is not written'
      const given = call.attribute('activations')
      const names = given && 'strings' in given ? given.strings : []
      const usual = names.every(
        (name, k) =>
          name.toLowerCase() === cell.activations[k % cell.activations.length]?.toLowerCase(),
      )
      return usual ? undefined : 'its activations are not the usual ones'
    },
  }
}

export const recurrents: Rules = Object.fromEntries(
  Object.entries(cells).map(([op, cell]) => [op, recurrent(cell)]),
)
