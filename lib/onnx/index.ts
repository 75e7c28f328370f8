export {
  NEWEST_IR,
  NEWEST_OPSET,
  OLDEST_IR,
  OLDEST_OPSET,
  type OnnxModel,
  decodeModel,
  normalDomain,
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
export { type Dimension, type ValueInfo, makeValueInfo, valueInfo } from './values.js'
