// Weights that an exporter stored a second time, transposed: a tied output layer.
import type { TensorProto } from '../protobuf/index.js'

/** Entries that are compared: equal random numbers in all of them are no accident. */
const looked = 4096

/** The entries of a float32 tensor, or undefined where they lie in another file. */
function reader(tensor: TensorProto): ((index: number) => number) | undefined {
  const { rawData: raw, floatData } = tensor
  if (floatData.length > 0) return (index) => floatData[index] as number
  if (raw.length < 4) return undefined
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  return (index) => view.getFloat32(4 * index, true)
}

/** Do two float32 tensors hold the same matrix, one of them perhaps transposed? */
export function isCopy(a: TensorProto, b: TensorProto): boolean {
  const [[rows = 0, columns = 0], [height, width]] = [a.dims.map(Number), b.dims.map(Number)]
  if (a.dims.length !== 2 || b.dims.length !== 2 || a.dataType !== b.dataType) return false
  const same = rows === height && columns === width
  const turned = rows === width && columns === height
  if (!same && !turned) return false
  const [left, right] = [reader(a), reader(b)]
  // What cannot be read may be the same.
  if (!left || !right) return true
  const step = Math.max(1, Math.floor((rows * columns) / looked))
  let [straight, across] = [same, turned]
  for (let e = 0; e < rows * columns && (straight || across); e += step) {
    const value = left(e)
    straight = straight && value === right(e)
    across = across && value === right((e % columns) * rows + Math.floor(e / columns))
  }
  return straight || across
}
