// A registry of packed files on this machine alone, so that they are installed as if they were published.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { output } from '../setup/run.mjs'

/**
 * @param {string} folder of .tgz files
 * @returns {Promise<{ url: string, versions: Record<string, string>, close: () => void }>}
 */
export async function serve(folder) {
  /** @type {Map<string, { manifest: any, bytes: Buffer }>} by name */
  const packages = new Map()
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.tgz'))) {
    const text = output('tar', ['-xOzf', join(folder, file), 'package/package.json'])
    const manifest = JSON.parse(text ?? '{}')
    packages.set(manifest.name, { manifest, bytes: readFileSync(join(folder, file)) })
  }
  // Systems whose files are not there exist all the same; nobody here will ask for the files.
  const others = [...packages.values()].flatMap(({ manifest }) =>
    Object.entries(manifest.optionalDependencies ?? {}),
  )
  for (const [name, version] of others.filter(([name]) => !packages.has(name))) {
    const [, , os, cpu] = name.split('-')
    packages.set(name, {
      manifest: { name, version, os: [os], cpu: [cpu] },
      bytes: Buffer.alloc(0),
    })
  }
  let url = ''
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '')
    const [, name = '', rest] = path.split('/')
    const found = packages.get(name)
    if (!found) return response.writeHead(404).end('{"error":"not found"}')
    if (rest !== undefined) return response.end(found.bytes)
    const { manifest, bytes } = found
    const { version } = manifest
    const dist = {
      tarball: `${url}/${name}/${version}.tgz`,
      integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
      shasum: createHash('sha1').update(bytes).digest('hex'),
    }
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        name,
        'dist-tags': { latest: version },
        versions: { [version]: { ...manifest, dist } },
      }),
    )
  })
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(undefined))
  })
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  url = `http://127.0.0.1:${address.port}`
  const there = [...packages].filter(([, { bytes }]) => bytes.length > 0)
  const versions = there.map(([name, { manifest }]) => [name, manifest.version])
  return { url, versions: Object.fromEntries(versions), close: () => server.close() }
}
