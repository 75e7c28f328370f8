// What a release needs of the machine, told before anything is done: it is half an hour to the end.
import { emulates } from '../install/root.mjs'
import { output, SetupError } from '../setup/run.mjs'

/** @type {Record<string, { name: string, args: string[] }>} by Debian's package */
const PACKING = {
  cmake: { name: 'cmake', args: ['--version'] },
  binutils: { name: 'readelf', args: ['--version'] },
  'python3-pip': { name: 'python3', args: ['-m', 'pip', '--version'] },
}

/** @type {typeof PACKING} */
const TRYING = {
  apt: { name: 'apt-get', args: ['--version'] },
  dpkg: { name: 'dpkg-deb', args: ['--version'] },
  'util-linux': { name: 'unshare', args: ['--version'] },
}

/**
 * @param {readonly import('./platforms.mjs').Platform[]} platforms
 * @param {{ tried: boolean }} options whether the packed files are tried in a bare root
 * @throws SetupError with all that is missing
 */
export function checkTools(platforms, { tried }) {
  const programs = Object.entries({ ...PACKING, ...(tried ? TRYING : {}) })
  const missing = programs
    .filter(([, { name, args }]) => output(name, args) === undefined)
    .map(([debian, { name, args }]) => `${[name, ...args].join(' ')} fails (Debian: ${debian})`)
  if (tried && process.getuid?.() !== 0) {
    missing.push('the packed files are tried in a bare root, which root alone may enter')
  }
  if (tried && platforms.some(({ cpu }) => cpu === 'arm64') && !emulates()) {
    missing.push('arm64’s files are tried in emulation (Debian: qemu-user-static)')
  }
  if (missing.length > 0) throw new SetupError(`A release needs more:\n${missing.join('\n')}`)
}
