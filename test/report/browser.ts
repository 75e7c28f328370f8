import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ExecutionContext } from 'ava'
import { type Browser, chromium } from 'playwright-core'

/** `npm test` installs a browser where there is none and tells where it is. */
function executable(): string {
  const places = [
    process.env.CHROME_PATH,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ]
  const found = places.find((path) => path && existsSync(path))
  if (!found) throw new Error('No Chromium or Chrome found: run `npm test`, which installs one')
  return found
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable(),
    // Without these flags Chromium talks to its maker's hosts, or refuses to run as root.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** The page holds two scripts: its samples as JSON, and the one that its policy names by digest. */
export function ownScripts(t: ExecutionContext, page: string): void {
  const scripts = [...page.matchAll(/<script([^>]*)>(.*?)<\/script>/gs)]
  t.is(page.match(/<script/g)?.length, 2)
  t.deepEqual(
    scripts.map(([, attributes]) => attributes),
    [' type="application/json" id="samples"', ''],
  )
  const text = scripts[1]?.[2] as string
  const digest = createHash('sha256').update(text).digest('base64')
  t.regex(page, /content="default-src 'none';/)
  t.true(page.includes(`script-src 'sha256-${digest}'`))
  t.notRegex(text, /fetch|XMLHttp|import|eval|https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
}

export interface Seen {
  /** Console output, page errors, dialogs and requests to anything but the page: should be none. */
  complaints: string[]
  /** Width that the page's content takes beyond the window: should be 0. */
  overflow: number
  figures: { id: string; width: number; height: number }[]
  images: { count: number; loaded: number }
  text: string
  nodes: number
}

/** Opens a page from a file, as a reader does, and tells what came out. */
export async function look(
  browser: Browser,
  page: string,
  width: number,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<Seen> {
  const folder = await mkdtemp(join(tmpdir(), 'report-'))
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme })
  try {
    const file = join(folder, 'report.html')
    await writeFile(file, page)
    const address = pathToFileURL(file).href
    const tab = await context.newPage()
    const complaints: string[] = []
    tab.on('console', (message) => complaints.push(`console: ${message.text()}`))
    tab.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
    tab.on('dialog', (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    tab.on('request', (request) => {
      const url = request.url()
      if (url !== address && !url.startsWith('data:')) complaints.push(`request: ${url}`)
    })
    await tab.goto(address)
    const seen = await tab.evaluate<Omit<Seen, 'complaints'>>(inspection)
    return { ...seen, complaints }
  } finally {
    await context.close()
    await rm(folder, { recursive: true, force: true })
  }
}

// Runs in the page. A string, because this project's types know no DOM.
const inspection = `(async () => {
  const images = [...document.querySelectorAll('svg image')]
  const loaded = await Promise.all(images.map((image) => new Promise((resolve) => {
    const copy = new Image()
    copy.onload = () => resolve(copy.naturalWidth > 0 && copy.naturalHeight > 0)
    copy.onerror = () => resolve(false)
    copy.src = image.href.baseVal
  })))
  const figures = [...document.querySelectorAll('svg.plot')].map((svg) => {
    const { width, height } = svg.getBoundingClientRect()
    return { id: svg.id, width, height }
  })
  for (const part of document.querySelectorAll('details')) part.open = true
  return {
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    figures,
    images: { count: images.length, loaded: loaded.filter(Boolean).length },
    text: document.body.innerText,
    nodes: document.querySelectorAll('svg *').length,
  }
})()`
