// Words that send readers of the field, or of English as a second language, to a dictionary, and
// what to write in their place. `npm run lint` looks for them in code, comments, messages and docs.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup/run.mjs'
import { files } from './setup/stamp.mjs'

/** @type {Record<string, string>} */
const INSTEAD = {
  'beside|besides': 'next to, in addition to, together with, among, compared with, except',
  anew: 'again, new',
  'mend|mends|mended': 'fix, correct, repair',
  'dear|dearer|dearest': 'slow, expensive',
  'hand out|hands out|handed out|handing out': 'return, give, share',
  'the last but (?:one|two|three)': 'the second, third … from the right',
  stead: 'in its place, instead',
  'nought|naught': 'nothing, zero',
  lest: 'so that … not',
  hence: 'so, therefore',
  'thereof|whereof|therein|wherein|herein|hereof|thereby|whereby|hereby|thereupon':
    'of it, in it, by it',
  'thence|whence|thither|whither|hither|hitherto|henceforth|heretofore|forthwith':
    'from there, until now, at once',
  'shall|shalt': 'should, must, will',
  'unto|upon|whilst|amongst|amidst|betwixt|albeit|withal|notwithstanding':
    'to, on, while, among, although',
  'seldom|oft|oftentimes': 'rarely, often',
  'elder|eldest': 'older, oldest',
  'heed|heeds|heeded': 'read, follow',
  'tell apart|tells apart|telling apart|told apart': 'distinguish',
  'for want of': 'for lack of',
  'ere|nay|alas|yonder|nigh|fain|aught|begets?|deem|deems|deemed|aforesaid|forgo|forgoes':
    'ordinary words',
}

// Texts of others, and the sentences above.
const NOT_OURS = [
  'docs/api',
  'docs/METHOD.md',
  'examples/fashion-mnist/README.md',
  'scripts/release/notices.mjs',
  'scripts/words.mjs',
]

const patterns = Object.entries(INSTEAD).map(
  ([words, instead]) => /** @type {const} */ ([new RegExp(`\\b(?:${words})\\b`, 'i'), instead]),
)

function texts() {
  const ours = ['native', 'lib', 'test', 'bench', 'examples', 'scripts', 'docs'].flatMap((folder) =>
    files(folder, (name) => /\.(cc|h|cu|cuh|ts|mjs|py|sh|md)$/.test(name)),
  )
  return [...ours, 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'CMakeLists.txt'].filter(
    (path) => !NOT_OURS.some((other) => path.startsWith(other)) && !path.endsWith('_pb.ts'),
  )
}

/** All faults as "path:line: what is wrong". */
export function wordFaults() {
  return texts().flatMap((path) =>
    readFileSync(join(root, path), 'utf8')
      .split('\n')
      .flatMap((line, index) =>
        patterns.flatMap(([pattern, instead]) => {
          const found = line.match(pattern)?.[0]
          return found === undefined
            ? []
            : [`${path}:${index + 1}: "${found}": write ${instead}, or what fits`]
        }),
      ),
  )
}
