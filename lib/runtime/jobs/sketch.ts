import { choice, floats, optional, whole, wholes } from './fields.js'
import { jobKind } from './kind.js'

export const sketchKinds = ['combined', 'sparse', 'factored', 'mask'] as const

/** Results: for each group (N, O, size), or (N, columns, size) of heads; it tells each parameter's stage. */
export const sketch = jobKind(
  'sketch',
  {
    map: choice(...sketchKinds),
    size: whole(1),
    seed: whole(0),
    /** For each parameter the index of the sketch that it adds to. */
    groups: wholes,
    /** For each parameter the stream of its random words. */
    keys: wholes,
    /** Left and right size of each parameter's factored stage and its split map's run, 0 for none; empty: chosen. */
    stages: wholes,
    /** (N, O, columns): sums of outputs in place of these. */
    heads: optional(floats),
    columns: whole(1),
  },
  ({ size }, { row }) => `the sketch of ${row(size)}`,
  { devices: true },
)
