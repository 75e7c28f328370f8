import { jobKind } from './kind.js'
import { averaged } from './path.js'

/** Results: for each parameter (N, O, …shape), then the change where there is a path. */
export const jacobian = jobKind(
  'jacobian',
  averaged,
  (_, { entry, parameter }) => `entry ${entry} of the features of parameter ${parameter}`,
  { tiles: 'rows', devices: true },
)
