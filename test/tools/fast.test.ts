// test/fast.json: the files of `npm test -- --fast`.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const fast: string[] = JSON.parse(readFileSync(`${root}test/fast.json`, 'utf8'))
const all = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name}`)

test('the fast tests exist, each listed once, in order', (t) => {
  t.deepEqual(
    fast.filter((name) => !all.includes(name)),
    [],
  )
  t.deepEqual(fast, [...new Set(fast)].sort())
})

test('the fast tests reach every part of the package', (t) => {
  const part = (name: string) => name.split('/').slice(1, -1).join('/')
  // Slow by their nature: real exporters' files, big architectures, changed files, whole experiments.
  const slow = ['exporters', 'fuzz', 'paper', 'zoo']
  const missing = new Set(all.map(part).filter((name) => !slow.includes(name)))
  for (const name of fast) missing.delete(part(name))
  t.deepEqual([...missing], [])
})
