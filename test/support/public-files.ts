// The public calls that read and write arrays, and what is done with samples, as in public-calls.ts.
import {
  accuracy,
  checkpointFiles,
  type NdArray,
  normalized,
  oneHot,
  openArray,
  readArray,
  readNpy,
  readSafetensors,
  readTensor,
  sortCheckpoints,
  split,
  take,
  writeArray,
  writeNpy,
  writeRows,
  writeSafetensors,
  writeTensor,
} from '../../lib/index.js'
import type { Call } from './public-calls.js'

// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are the matter here.
type Any = any

export function fileCalls(x: NdArray, u: NdArray): Record<string, Call> {
  return {
    readArray: {
      args: () => ['nothing.npy', {}],
      call: (...a) => readArray(...(a as [Any, Any])),
      options: 'numbers',
    },
    openArray: {
      args: () => ['nothing.npy', {}],
      call: (...a) => openArray(...(a as [Any, Any])),
      options: 'numbers',
    },
    checkpointFiles: {
      args: () => ['test/conventions'],
      call: (...a) => checkpointFiles(...(a as [Any])),
    },
    sortCheckpoints: {
      args: () => [['a-2.onnx', 'a-1.onnx']],
      call: (...a) => sortCheckpoints(...(a as [Any])),
    },
    normalized: {
      args: () => [x, {}],
      call: (...a) => normalized(...(a as [Any])),
      options: 'scale mean std axis dtype',
    },
    take: { args: () => [x, 2], call: (...a) => take(...(a as [Any, Any])) },
    split: {
      args: () => [{ x }, {}],
      call: (...a) => split(...(a as [Any, Any])),
      options: 'fraction seed classes',
    },
    oneHot: {
      args: () => [{ data: Int32Array.of(0, 1), shape: [2] }, 2],
      call: (...a) => oneHot(...(a as [Any, Any])),
    },
    accuracy: {
      args: () => [u, u, {}],
      call: (...a) => accuracy(...(a as [Any, Any, Any])),
      options: 'classes',
    },
    writeArray: {
      args: () => ['/dev/null', x, { kind: 'npy' }],
      call: (...a) => writeArray(...(a as [Any, Any, Any])),
      options: 'kind signal',
    },
    writeRows: {
      args: () => ['/dev/null', { dtype: 'float32', shape: x.shape }, [x], { kind: 'npy' }],
      call: (...a) => writeRows(...(a as [Any, Any, Any, Any])),
      options: 'kind signal',
    },
    readNpy: { args: () => ['nothing.npy'], call: (...a) => readNpy(...(a as [Any])) },
    readTensor: { args: () => ['nothing.pb'], call: (...a) => readTensor(...(a as [Any])) },
    readSafetensors: { args: () => ['nothing'], call: (...a) => readSafetensors(...(a as [Any])) },
    writeNpy: {
      args: () => ['/dev/null', x, {}],
      call: (...a) => writeNpy(...(a as [Any, Any])),
      options: 'signal',
    },
    writeTensor: {
      args: () => ['/dev/null', x, {}],
      call: (...a) => writeTensor(...(a as [Any, Any])),
      options: 'signal',
    },
    writeSafetensors: {
      args: () => ['/dev/null', new Map([['x', x]]), {}],
      call: (...a) => writeSafetensors(...(a as [Any, Any])),
      options: 'metadata signal',
    },
  }
}
