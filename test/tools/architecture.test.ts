// docs/architecture.md tells of what is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const page = readFileSync(`${root}docs/architecture.md`, 'utf8')

test('the rule of the page is the one that the unit tests compile and run', (t) => {
  const source = readFileSync(`${root}test/native/example_rule.cc`, 'utf8')
  const [, rule] = source.match(/--- The example begins\.\n(.*)\n\/\/ --- The example ends/s) ?? []
  const [, shown] = page.match(/^```cpp\n(.*?)\n```$/ms) ?? []
  t.true(rule?.includes('void forward('))
  t.is(shown, rule)
})

test('files and folders that the page names are there', (t) => {
  const named = [...page.matchAll(/\b(?:lib|native|test|scripts|docs)\/[\w./-]*[\w]/g)]
  const paths = [...new Set(named.map(([path]) => path))]
  t.true(paths.length > 20)
  t.deepEqual(
    paths.filter((path) => !existsSync(root + path)),
    [],
  )
})

test('the page names every folder of lib/ and native/', (t) => {
  for (const side of ['lib', 'native']) {
    const folders = readdirSync(root + side, { withFileTypes: true })
    const missing = folders
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .filter((name) => !new RegExp(`\`${name}\`|\\b${side}/${name}\\b`).test(page))
    t.deepEqual(missing, [], side)
  }
})
