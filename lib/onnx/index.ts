export {
  decodeModel,
  NEWEST_IR,
  NEWEST_OPSET,
  normalDomain,
  OLDEST_IR,
  OLDEST_OPSET,
  type OnnxModel,
} from './decode.js'
export { type AxisOptions, isBatchWord, isRealName } from './dimensions.js'
export {
  type Addition,
  appendToModel,
  type FileNote,
  makeNode,
  replaceValues,
  stripInitializers,
} from './encode.js'
export { initializerData, settleExternal } from './external.js'
export { inlineFunctions } from './inline.js'
export { nodeLabel, titleOf } from './names.js'
export { openModel } from './open.js'
export { inOwnMemory, movedNumbers } from './own-memory.js'
export { constantInitializers } from './roles.js'
export { type Dimension, makeValueInfo, type ValueInfo, valueInfo } from './values.js'
export { widenFloats } from './widen.js'
