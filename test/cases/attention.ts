import type { OpCase } from './check.js'
import type { Draw } from './draw.js'

interface Sizes {
  /** Heads of the queries, and of the keys and values. */
  heads: [number, number]
  queries: number
  keys: number
  width: number
  values: number
}

function sizes(d: Draw): Sizes {
  const shared = d.random.integer(1, 2)
  const queries = d.random.integer(1, 3)
  const width = d.random.integer(1, 3)
  return {
    heads: [shared * d.random.integer(1, 2), shared],
    queries,
    keys: d.random.chance() ? queries : d.random.integer(1, 4),
    width,
    values: d.random.chance(0.7) ? width : d.random.integer(1, 3),
  }
}

function attention(d: Draw, { heads, queries, keys, width, values }: Sizes, options: Options = {}) {
  const { packed = d.random.chance(), causal = d.random.chance(0.3) } = options
  const mask = options.mask ?? d.random.pick(['none', 'none', 'bool', 'float'] as const)
  const operand = (count: number, length: number, size: number) =>
    d.activation(packed ? [length, count * size] : [count, length, size])
  const inputs = [
    operand(heads[0], queries, width),
    operand(heads[1], keys, width),
    operand(heads[1], keys, values),
  ]
  const lead = d.random.pick<readonly number[]>([[], [1, 1], [1, heads[0]]])
  const shape = [...lead, queries, keys]
  const size = shape.reduce((product, length) => product * length, 1)
  if (mask === 'bool') {
    // The first key is seen always: a row that sees nothing has no value.
    inputs.push(
      d.booleans(
        shape,
        Array.from({ length: size }, (_, e) => e % keys === 0 || d.random.chance(0.6)),
      ),
    )
  }
  if (mask === 'float') {
    // A bias on the scores may be a weight.
    inputs.push(d.random.chance() ? d.parameter(shape) : d.constant(shape, d.values(size)))
  }
  return d.node('Attention', inputs, {
    ...(packed ? { q_num_heads: heads[0], kv_num_heads: heads[1] } : {}),
    ...(causal ? { is_causal: 1 } : {}),
    ...(d.random.chance(0.3) ? { scale: { f: 0.7 } } : {}),
  })
}

interface Options {
  packed?: boolean
  causal?: boolean
  mask?: 'none' | 'bool' | 'float'
}

function rotary(d: Draw, packed: boolean): string {
  const [heads, length, pairs] = [
    d.random.integer(1, 3),
    d.random.integer(1, 3),
    d.random.integer(1, 2),
  ]
  const part = d.random.chance(0.3)
  const width = 2 * pairs + (part ? d.random.integer(1, 2) * 2 : 0)
  const x = d.activation(packed ? [length, heads * width] : [heads, length, width])
  const places = 4
  const tables = d.random.chance()
    ? [d.activation([length, pairs]), d.activation([length, pairs])]
    : [
        d.parameter([places, pairs]),
        d.parameter([places, pairs]),
        d.integers(
          Array.from({ length: d.n * length }, () => d.random.integer(0, places - 1)),
          [d.n, length],
        ),
      ]
  if (tables.length === 3 && d.mode === 'batched') {
    const ids = Array.from({ length: d.n * length }, () => d.random.integer(0, places - 1))
    tables[2] = d.input([length], ids, 'int64')
  }
  return d.node('RotaryEmbedding', [x, ...tables], {
    ...(packed ? { num_heads: heads } : {}),
    ...(part ? { rotary_embedding_dim: 2 * pairs } : {}),
    ...(d.random.chance() ? { interleaved: 1 } : {}),
  })
}

export const attentions: readonly OpCase[] = [
  {
    op: 'Attention',
    opsets: [23, 24],
    draws: 40,
    together: 6,
    draw: (d) => attention(d, sizes(d)),
    edges: [
      {
        opset: 23,
        draw: (d) =>
          attention(
            d,
            { heads: [4, 2], queries: 3, keys: 3, width: 2, values: 3 },
            { packed: true, causal: true, mask: 'none' },
          ),
      },
      {
        draw: (d) =>
          attention(
            d,
            { heads: [4, 1], queries: 2, keys: 4, width: 2, values: 2 },
            { packed: false, causal: false, mask: 'bool' },
          ),
      },
    ],
  },
  {
    op: 'RotaryEmbedding',
    opsets: [23],
    draws: 40,
    draw: (d) => rotary(d, d.random.chance()),
  },
]
