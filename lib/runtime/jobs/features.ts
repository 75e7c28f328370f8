import { optional, whole } from './fields.js'
import { jobKind } from './kind.js'

/** No results: what it tells at its end are the features, see NativeFeatures. */
export const features = jobKind(
  'features',
  // 1: in factors wherever that is possible, even where these are larger.
  { factored: optional(whole(0)) },
  (_, { entry, parameter }) => `entry ${entry} of the features of parameter ${parameter}`,
  { devices: true },
)
