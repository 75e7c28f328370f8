import { randomShape } from './arithmetic.js'
import type { OpCase } from './check.js'
import type { Domain } from './draw.js'

function reduction(op: string, since: number, domain?: Domain): OpCase {
  return {
    op,
    opsets: [9, 11, 13, 18],
    tolerance: 2e-4,
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3), 4)
      const rank = shape.length + 1
      const place = d.random.integer(0, shape.length)
      const others = Array.from({ length: rank }, (_, a) => a).filter((a) => a !== place)
      const axes = others.filter(() => d.random.chance())
      if (axes.length === 0) axes.push(d.random.pick(others))
      const keepdims = d.random.integer(0, 1)
      const negative = d.opset >= 11 && d.random.chance()
      const given = negative ? axes.map((axis) => axis - rank) : axes
      const attributes: Record<string, number> = keepdims && d.random.chance() ? {} : { keepdims }
      const x = d.moved(shape, place, domain)
      const y =
        d.opset >= since
          ? d.node(op, [x, d.integers(given)], attributes)
          : d.node(op, [x], { axes: given, ...attributes })
      const left = keepdims ? rank : rank - axes.length
      const at = keepdims ? place : place - axes.filter((axis) => axis < place).length
      return d.moveBatch(y, left, at, 0)
    },
    edges: [
      {
        // Without axes everything is reduced, here of parameters.
        opset: 13,
        mode: 'unbatched',
        draw: (d) => d.node(op, [d.activation([2, 2], domain)]),
      },
    ],
  }
}

export const reductions: readonly OpCase[] = [
  reduction('ReduceSum', 13),
  reduction('ReduceMean', 18),
  reduction('ReduceSumSquare', 18),
  reduction('ReduceL1', 18, { avoid: [0] }),
  reduction('ReduceL2', 18, { low: 0.3, high: 2 }),
  reduction('ReduceLogSum', 18, { low: 0.3, high: 2 }),
  reduction('ReduceLogSumExp', 18),
  reduction('ReduceProd', 18, { low: 0.4, high: 1.5 }),
  reduction('ReduceMax', 18, { distinct: true }),
  reduction('ReduceMin', 18, { distinct: true }),
]
