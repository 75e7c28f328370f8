// Lines as planes of height 1: what an axis before the only one changes of a convolution.

/** How values that stand in for others are named. */
export const planePrefix = 'adaptive_tangent_plane:'
/** Where the height stands. */
export const heightAxis = 2
/** From this opset on Squeeze and Unsqueeze take their axes as an input. */
export const axesAsInput = 13

const before: Readonly<Record<string, (numbers: readonly number[]) => number[]>> = {
  kernel_shape: (sizes) => [1, ...sizes],
  strides: (steps) => [1, ...steps],
  dilations: (steps) => [1, ...steps],
  output_padding: (sizes) => [0, ...sizes],
  output_shape: (sizes) => [1, ...sizes],
  pads: ([begin = 0, end = 0]) => [0, begin, 0, end],
}

/** An attribute's numbers along two axes; undefined where they are no numbers of axes. */
export function alongTwo(name: string, numbers: readonly number[]): number[] | undefined {
  return before[name]?.(numbers)
}
