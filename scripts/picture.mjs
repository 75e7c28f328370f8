// Draws docs/report.png (`npm run demo:picture`): a part of the page that `npm run demo` writes, as a
// browser shows it.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { decode, encode } from 'fast-png'
import { chromium } from 'playwright-core'
import { root } from './setup/run.mjs'
import { findBrowser } from './setup/system.mjs'

const page = join(root, 'out/demo/report.html')
if (!existsSync(page)) {
  console.error(`Expected ${page}: run \`npm run demo\` first`)
  process.exit(2)
}
const executablePath = findBrowser()
if (!executablePath) {
  console.error('No Chromium or Chrome found: `npm test` installs one')
  process.exit(2)
}
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
try {
  const tab = await browser.newPage({ viewport: { width: 1130, height: 2000 } })
  await tab.goto(pathToFileURL(page).href)
  const edge = async (/** @type {string} */ selector) => {
    const box = await tab.locator(selector).boundingBox()
    if (!box) throw new Error(`${page} has no ${selector}`)
    return box
  }
  // From the heading of the alignments to the colours of the kernels.
  const top = (await edge('#alignment h2')).y - 24
  const bar = await edge('#kernel-colors')
  const clip = { x: 0, y: top, width: 1130, height: bar.y + bar.height + 12 - top }
  // The browser's own PNG is half as large again.
  const { width, height, data, channels } = decode(await tab.screenshot({ clip, fullPage: true }))
  const bytes = encode({ width, height, data, channels, depth: 8 }, { zlib: { level: 9 } })
  writeFileSync(join(root, 'docs/report.png'), bytes)
} finally {
  await browser.close()
}
