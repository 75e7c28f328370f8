// The table of operator cases: one row per operator. Adding a rule means adding a row here.
import { activations, functions } from './activations.js'
import { arithmetic } from './arithmetic.js'
import { attentions } from './attention.js'
import type { OpCase } from './check.js'
import { contractions } from './contractions.js'
import { generators } from './generators.js'
import { indexing } from './indexing.js'
import { normalization } from './normalization.js'
import { pooling } from './pooling.js'
import { recurrent } from './recurrent.js'
import { reductions } from './reductions.js'
import { resizing } from './resizing.js'
import { shapes } from './shapes.js'

export const opCases: readonly OpCase[] = [
  ...activations,
  ...functions,
  ...arithmetic,
  ...contractions,
  ...shapes,
  ...pooling,
  ...normalization,
  ...reductions,
  ...indexing,
  ...resizing,
  ...recurrent,
  ...attentions,
  ...generators,
]
