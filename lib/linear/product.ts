// Matrices that are known by their products alone.
import { badArgument, mismatch } from '../core/errors.js'

/** K times a few vectors, v (n, columns) → (n, columns). */
export type KernelProduct = (v: Float64Array, columns: number) => Promise<Float64Array>

/** What the caller's product gave. */
export function checkedProduct(products: Float64Array, length: number): Float64Array {
  if (!(products instanceof Float64Array)) {
    throw badArgument('the product', 'a Float64Array', products)
  }
  if (products.length === length) return products
  throw mismatch('the product', `${length} numbers`, `${products.length} numbers`)
}

/** Columns of one product: wider blocks take more memory and are no faster. */
const together = 16

/** K times a block (n, any columns), some columns at a time. */
export async function productOf(
  product: KernelProduct,
  block: Float64Array,
  n: number,
  most = together,
): Promise<Float64Array> {
  const columns = block.length / n
  if (columns <= most) return checkedProduct(await product(block, columns), block.length)
  const out = new Float64Array(block.length)
  for (let first = 0; first < columns; first += most) {
    const width = Math.min(most, columns - first)
    const piece = new Float64Array(n * width)
    for (let i = 0; i < n; i += 1) {
      const from = i * columns + first
      piece.set(block.subarray(from, from + width), i * width)
    }
    const image = checkedProduct(await product(piece, width), piece.length)
    for (let i = 0; i < n; i += 1)
      out.set(image.subarray(i * width, (i + 1) * width), i * columns + first)
  }
  return out
}
