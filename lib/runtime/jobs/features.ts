import { jobKind } from './kind.js'

/** No results: what it tells at its end are the features, see NativeFeatures. */
export const features = jobKind(
  'features',
  {},
  (_, { entry, parameter }) => `entry ${entry} of the features of parameter ${parameter}`,
)
