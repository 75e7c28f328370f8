import { choice, whole, wholes } from './fields.js'
import { jobKind } from './kind.js'
import { ntk } from './ntk.js'

/** Kernels of groups of `size` samples that follow one another. Results: as of `ntk`, group by group. */
export const grouped = jobKind(
  'grouped',
  {
    kernel: choice('full', 'trace', 'diagonal'),
    method: choice('auto', 'jacobian', 'structured', 'mixed'),
    /** For each parameter the index of the result that it adds to. */
    groups: wholes,
    size: whole(1),
  },
  ({ size: _, ...job }, place) => ntk.place({ ...job, kind: 'ntk' } as never, place),
  { devices: true },
)
