import type { OpCase } from './check.js'
import { windowAttributes } from './contractions.js'
import type { Domain, Draw } from './draw.js'

interface PoolOptions {
  opsets: readonly number[]
  /** Opsets in which windows may be dilated; ceil_mode from there on. */
  dilatedFrom: number
  ceilFrom: number
  domain?: Domain
  extra?: (d: Draw) => Record<string, number>
}

// Sums of powers have large higher derivatives near 0.
const away = { low: -2, high: 2, avoid: [0, -0.1, 0.1, -0.2, 0.2] }

function maybe(d: Draw, attributes: Record<string, number>): Record<string, number> {
  return d.random.chance() ? attributes : {}
}

function pool(op: string, options: PoolOptions): OpCase {
  return {
    op,
    opsets: options.opsets,
    tolerance: 3e-4,
    draw(d) {
      const rank = d.random.pick([1, 2, 2, 3])
      const size = Array.from({ length: rank }, () => d.random.integer(3, rank === 3 ? 3 : 5))
      const kernel = size.map((length) => d.random.integer(1, Math.min(3, length)))
      const attributes = windowAttributes(d, size, kernel, d.opset >= options.dilatedFrom)
      // onnxruntime wants pads smaller than the kernel.
      if (Array.isArray(attributes.pads))
        attributes.pads = attributes.pads.map((pad, i) =>
          Math.min(pad, (kernel[i % rank] ?? 1) - 1),
        )
      const ceil = d.opset >= options.ceilFrom && !attributes.auto_pad && d.random.chance()
      const x = d.activation([d.random.integer(1, 2), ...size], options.domain)
      return d.node(op, [x], {
        ...attributes,
        kernel_shape: kernel,
        ...(ceil ? { ceil_mode: 1 } : {}),
        ...(options.extra?.(d) ?? {}),
      })
    },
  }
}

function globalPool(
  op: string,
  distinct: boolean,
  extra: (d: Draw) => Record<string, number> = () => ({}),
): OpCase {
  return {
    op,
    opsets: [9, 17],
    tolerance: 5e-4,
    draw(d) {
      const rank = d.random.integer(1, 3)
      const size = Array.from({ length: rank }, () => d.random.integer(1, 4))
      const domain = distinct ? { distinct } : away
      return d.node(op, [d.activation([d.random.integer(1, 3), ...size], domain)], extra(d))
    },
  }
}

export const pooling: readonly OpCase[] = [
  pool('AveragePool', {
    opsets: [9, 10, 11, 19, 22],
    dilatedFrom: 19,
    ceilFrom: 10,
    extra: (d) => maybe(d, { count_include_pad: 1 }),
  }),
  pool('MaxPool', {
    opsets: [9, 10, 12, 22],
    dilatedFrom: 10,
    ceilFrom: 10,
    domain: { distinct: true },
    extra: (d) => maybe(d, { storage_order: 1 }),
  }),
  pool('LpPool', {
    opsets: [9, 11, 18, 22],
    dilatedFrom: 18,
    ceilFrom: 18,
    domain: away,
    extra: (d) => maybe(d, { p: d.random.integer(2, 3) }),
  }),
  globalPool('GlobalAveragePool', false),
  globalPool('GlobalMaxPool', true),
  globalPool('GlobalLpPool', false, (d) => maybe(d, { p: d.random.integer(1, 3) })),
]
