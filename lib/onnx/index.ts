export {
  decodeModel,
  NEWEST_IR,
  NEWEST_OPSET,
  normalDomain,
  OLDEST_IR,
  OLDEST_OPSET,
  type OnnxModel,
} from './decode.js'
export {
  type Addition,
  appendToModel,
  makeNode,
  replaceValues,
  stripInitializers,
} from './encode.js'
export { checkExternal, initializerData } from './external.js'
export { nodeLabel, quote } from './names.js'
export { openModel } from './open.js'
export { type Dimension, makeValueInfo, type ValueInfo, valueInfo } from './values.js'
