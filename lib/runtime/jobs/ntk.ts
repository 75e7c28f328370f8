import { choice, optional, whole, wholes } from './fields.js'
import { jobKind } from './kind.js'
import { averaged } from './path.js'

/** Results: a kernel for each group, then the change where there is a path. */
export const ntk = jobKind(
  'ntk',
  {
    kernel: choice('full', 'trace', 'diagonal'),
    method: choice('auto', 'jacobian', 'structured', 'mixed'),
    /** For each parameter the number of its method in that list, where it is known before. */
    methods: optional(wholes),
    /** Samples a side for which the cost model chooses (default: those there are). */
    expected: optional(whole(1)),
    /** For each parameter the index of the kernel that it adds to. */
    groups: wholes,
    ...averaged,
  },
  (_, { entry, count, samples, first }) =>
    `the kernel of sample ${first + Math.floor(entry / (count / samples))}`,
  {
    tiles: 'native',
    devices: true,
    axes: ({ kernel }) => ({ rows: 0, columns: kernel === 'full' ? 2 : 1 }),
  },
)
