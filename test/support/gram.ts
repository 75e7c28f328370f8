// Kernels from Jacobians.
import type { NdArray } from '../../lib/index.js'

/** J J₂ᵀ in double, of Jacobians (N, O, …) and (N₂, O, …) of the same parameters. */
export function gramOf(jacobians: readonly NdArray[], others = jacobians): Float64Array {
  const height = rowsOf(jacobians)
  const width = rowsOf(others)
  const gram = new Float64Array(height * width)
  jacobians.forEach(({ data }, p) => {
    const other = (others[p] as NdArray).data
    const size = data.length / height
    for (let i = 0; i < height; i += 1)
      for (let j = 0; j < width; j += 1) {
        let sum = 0
        for (let e = 0; e < size; e += 1)
          sum += Number(data[i * size + e]) * Number(other[j * size + e])
        gram[i * width + j] = (gram[i * width + j] as number) + sum
      }
  })
  return gram
}

function rowsOf(jacobians: readonly NdArray[]): number {
  const [n, o] = (jacobians[0] as NdArray).shape as [number, number]
  return n * o
}
