// docs/errors.md has a section for each code, whose example (run by docs.test.ts) prints that code.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { blocksOf, printedLines } from './pages/blocks.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

test('every code of an error has its section, with an example that has that code', async (t) => {
  const source = await readFile(`${root}lib/core/errors.ts`, 'utf8')
  const [, type = ''] = /export type ErrorCode =\n(.*?)\n\n/s.exec(source) ?? []
  const codes = [...type.matchAll(/^ {2}\| '(\w+)'$/gm)].map(([, code]) => code as string)
  t.true(codes.length >= 10, 'the type is read')
  const page = await readFile(`${root}docs/errors.md`, 'utf8')
  const sections = page.split(/^## /m).slice(1)
  t.deepEqual(
    sections.map((section) => section.split('\n', 1)[0]),
    codes,
  )
  for (const [k, section] of sections.entries()) {
    const code = codes[k] as string
    t.regex(section, /^\*Causes\.\* .*^\*What to do\.\* /ms, code)
    const examples = blocksOf('docs/errors.md', section)
    t.is(examples.length, 1, code)
    const printed = printedLines(examples[0]?.code ?? '', '//')
    t.true(printed.at(-1)?.startsWith(`${code} - `), code)
    t.true(page.includes(`[\`${code}\`](#${code.toLowerCase()})`), `${code} in the table`)
  }
})
