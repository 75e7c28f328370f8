// The site is made from the tree alone, holds every page, and its links lead somewhere.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))

test('npm run docs:site: all pages, no link that leads nowhere', async (t) => {
  const out = await mkdtemp(join(tmpdir(), 'adaptive-tangent-site-'))
  t.teardown(() => rm(out, { recursive: true }))
  const run = promisify(execFile)
  await run(process.execPath, ['scripts/docs.mjs', '--site', out], { cwd: root })

  const pages = (await readdir(`${root}docs`, { recursive: true })).filter(
    (name) => name.endsWith('.md') && !name.startsWith('api/'),
  )
  const documents = await readdir(join(out, 'documents'))
  // In addition to docs/: contributing, changes, and the examples.
  t.true(documents.length >= pages.length + 2, documents.join(' '))

  const html = (await readdir(out, { recursive: true })).filter((name) => name.endsWith('.html'))
  const lost: string[] = []
  for (const name of html) {
    const text = await readFile(join(out, name), 'utf8')
    const links = [...text.matchAll(/(?:href|src)="([^"#]+)/g)].map(([, link]) => link as string)
    for (const link of new Set(links)) {
      if (/^[a-z]+:/.test(link)) continue
      const file = join(out, dirname(name), decodeURIComponent(link))
      // A page as its source is a link to what the site does not have.
      if (!existsSync(file) || /\.(md|ts|mjs)$/.test(file)) lost.push(`${name}: ${link}`)
    }
  }
  t.deepEqual(lost, [])
})
