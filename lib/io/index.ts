export { readBytes } from './files.js'
export { makeFolder } from './folders.js'
export * from './ndarray.js'
export { decodeNpy, encodeNpy, isNpy, npyHeader, readNpy, writeNpy } from './npy.js'
export { readArray } from './read.js'
export {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from './safetensors.js'
export { arrayToTensor, decodeTensor, readTensor, tensorToArray, writeTensor } from './tensor.js'
export { writeFileAtomic } from './write.js'
