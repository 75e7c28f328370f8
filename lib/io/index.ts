export { readBytes } from './files.js'
export { makeFolder } from './folders.js'
export * from './ndarray.js'
export { type NormalizeOptions, normalized } from './normalized.js'
export { decodeNpy, encodeNpy, isNpy, npyHeader, readNpy, writeNpy } from './npy.js'
export { type OpenOptions, openArray } from './open.js'
export { readArray } from './read.js'
export { type ArrayKind, arrayKindOf, arrayKinds, kindOfName } from './results/kinds.js'
export {
  type RowsHeader,
  type WriteArrayOptions,
  writeArray,
  writeArrays,
  writeRows,
} from './results/write.js'
export {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from './safetensors.js'
export {
  type ArraySource,
  isSource,
  rowBytes,
  rowSize,
  rowsOf,
  sourceOf,
  wholeOf,
} from './source.js'
export { type ImageOptions, type ImageSource, openImages } from './sources/images.js'
export { arrayToTensor, decodeTensor, readTensor, tensorToArray, writeTensor } from './tensor.js'
export { writeFileAtomic } from './write.js'
