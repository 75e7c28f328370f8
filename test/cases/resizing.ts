import type { OpCase } from './check.js'
import type { Draw } from './draw.js'

const coordinates = [
  'half_pixel',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'half_pixel_symmetric',
  'tf_half_pixel_for_nn',
]

function resize(d: Draw): string {
  const size = [d.random.integer(1, 4), d.random.integer(2, 4)]
  const channels = d.random.integer(1, 2)
  const target = size.map(() => d.random.integer(1, 6))
  const mode = d.random.pick(['nearest', 'linear', 'cubic'])
  const x = d.activation([channels, ...size])
  if (d.opset < 11) {
    const scales = [1, 1, ...size.map(() => d.random.pick([0.5, 1, 1.5, 2, 2.3]))]
    size.forEach((length, a) => {
      // Nothing must be left of size 0.
      if (Math.floor(length * (scales[a + 2] ?? 1)) < 1) scales[a + 2] = 1
    })
    return d.node('Resize', [x, d.initializer([4], scales)], {
      mode: mode === 'cubic' ? 'linear' : mode,
    })
  }
  const choices = coordinates.filter(
    (name) =>
      (d.opset >= 19 || name !== 'half_pixel_symmetric') &&
      (d.opset < 13 || name !== 'tf_half_pixel_for_nn'),
  )
  const attributes: Record<string, string | number[] | { f: number }> = {
    mode,
    coordinate_transformation_mode: d.random.pick(choices),
  }
  if (mode === 'nearest')
    attributes.nearest_mode = d.random.pick([
      'round_prefer_floor',
      'round_prefer_ceil',
      'floor',
      'ceil',
    ])
  if (mode === 'cubic' && d.random.chance()) attributes.cubic_coeff_a = { f: -0.5 }
  // onnxruntime wants a region of interest before opset 13, even if it is not used.
  const roi = d.opset < 13 ? d.constant([0], []) : ''
  if (d.random.chance()) {
    const scales = size.map((length, a) => (target[a] ?? 1) / length + 0.01)
    return d.node('Resize', [x, roi, d.initializer([4], [1, 1, ...scales])], attributes)
  }
  const none = d.opset < 13 ? d.constant([0], []) : ''
  const partly = d.opset >= 18 && d.random.chance()
  if (partly) attributes.axes = [2, 3]
  const whole = d.node('Concat', [firstTwo(d, x), d.integers(target)], { axis: 0 })
  return d.node('Resize', [x, roi, none, partly ? d.integers(target) : whole], attributes)
}

function firstTwo(d: Draw, x: string): string {
  return d.node('Slice', [d.node('Shape', [x]), d.integers([0]), d.integers([2])])
}

export const resizing: readonly OpCase[] = [
  {
    op: 'Resize',
    opsets: [10, 11, 13, 18, 19],
    draws: 60,
    tolerance: 2e-4,
    draw: resize,
    edges: [
      {
        // A region, and a constant outside of it.
        draw(d) {
          const x = d.activation([1, 4, 5])
          const roi = d.initializer([8], [0, 0, 0.1, -0.2, 1, 1, 0.8, 1.3])
          const target = d.node('Concat', [firstTwo(d, x), d.integers([3, 6])], { axis: 0 })
          return d.node('Resize', [x, roi, '', target], {
            mode: 'linear',
            coordinate_transformation_mode: 'tf_crop_and_resize',
            extrapolation_value: { f: 2 },
          })
        },
        mode: 'unbatched',
      },
    ],
  },
  {
    op: 'Upsample',
    opsets: [9],
    draw(d) {
      const x = d.activation([
        d.random.integer(1, 2),
        d.random.integer(1, 4),
        d.random.integer(1, 4),
      ])
      const scales = [1, 1, d.random.pick([1, 1.5, 2, 2.3, 3]), d.random.pick([1, 1.5, 2, 2.3, 3])]
      return d.node('Upsample', [x, d.initializer([4], scales)], {
        mode: d.random.pick(['nearest', 'linear']),
      })
    },
  },
]
