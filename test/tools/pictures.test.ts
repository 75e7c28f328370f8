// Every figure in the docs is made by a command that is in the docs.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('api/'))
    .map((name) => `docs/${name}`),
]
const read = (page: string) => readFileSync(join(root, page), 'utf8')

/** What makes the pictures of a name: a command, the page that gives it, and a file that draws. */
const makers: [picture: RegExp, command: string, page: string, source: string][] = [
  [/^docs\/report\.png$/, 'npm run demo:picture', 'docs/report.md', 'scripts/picture.mjs'],
  [
    /^docs\/penalties-\w+\.svg$/,
    'node scripts/penalties.mjs',
    'docs/penalties.md',
    'scripts/penalties.mjs',
  ],
  [
    /^docs\/paper\/fig1\.svg$/,
    'npm run paper -- fig1',
    'docs/paper.md',
    'examples/paper/figure13.ts',
  ],
  [
    /^docs\/paper\/fig3\.svg$/,
    'fig3 is the same command',
    'docs/paper.md',
    'examples/paper/figure13.ts',
  ],
  [
    /^docs\/paper\/fig2\.svg$/,
    'npm run paper -- fig2',
    'docs/paper.md',
    'examples/paper/figure2.ts',
  ],
  [
    /^docs\/paper\/fig4-redrawn-mnist\.svg$/,
    'npm run paper -- fig4 ',
    'docs/paper.md',
    'examples/paper/figure4.ts',
  ],
  [
    /^docs\/paper\/fig4-fixed-set-mnist\.svg$/,
    'npm run paper -- fig4 --protocol fixed-set',
    'docs/paper.md',
    'examples/paper/figure4.ts',
  ],
  [
    /^docs\/paper\/fig4-fixed-set-fashion\.svg$/,
    'npm run paper -- fig4 --dataset fashion --protocol fixed-set',
    'docs/paper.md',
    'examples/paper/figure4.ts',
  ],
  [
    /^docs\/paper\/path\.svg$/,
    'npm run paper -- path --quick --seeds 1,2,3',
    'docs/paper.md',
    'examples/paper/figure-path.ts',
  ],
  [
    /^docs\/paper\/sequence\.svg$/,
    'npm run paper -- sequence',
    'docs/paper.md',
    'examples/paper/figure-sequence.ts',
  ],
]

test('every picture that a page shows has its command on a page', (t) => {
  const shown = pages.flatMap((page) =>
    [...read(page).matchAll(/!\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target]) =>
      normalize(join(page, '..', target as string)),
    ),
  )
  t.true(shown.length >= 10)
  for (const picture of new Set(shown)) {
    t.true(existsSync(join(root, picture)), picture)
    const maker = makers.find(([name]) => name.test(picture))
    t.truthy(maker, `${picture}: write the command that makes it into the docs, and here`)
    const [, command, page, source] = maker!
    t.true(read(page).includes(command), `${page} gives "${command}" for ${picture}`)
    t.true(existsSync(join(root, source)), source)
  }
})

test('no picture lies in the docs that no page shows', (t) => {
  const all = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  const texts = pages.map(read).join('\n')
  for (const name of all.filter((one) => /\.(png|svg|jpg|gif|webp)$/.test(one))) {
    t.true(texts.includes(name.split('/').at(-1) as string), name)
  }
})
