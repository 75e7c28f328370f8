// The platforms with a package of their own. A row is all that a further one needs.

/**
 * @typedef {object} Platform
 * @property {string} name as in the package's name: adaptive-tangent-NAME
 * @property {string} os as in package.json, and Node's process.platform
 * @property {string} cpu as in package.json, and Node's process.arch
 * @property {string} [libc] as in package.json
 * @property {string} target the compiler's
 * @property {string} processor CMake's
 * @property {{ platform: string, sha256: string }} openblas PyPI's wheel
 */

/** The oldest C library that the Linux packages run with; onnxruntime's own files want as much. */
export const OLDEST_GLIBC = '2.28'

/** @type {readonly Platform[]} */
export const platforms = [
  {
    name: 'linux-x64-gnu',
    os: 'linux',
    cpu: 'x64',
    libc: 'glibc',
    target: `x86_64-linux-gnu.${OLDEST_GLIBC}`,
    processor: 'x86_64',
    openblas: {
      platform: 'manylinux_2_28_x86_64',
      sha256: '0595f94cd58c1f8a0d90c975621f4587337a003916b1979e834ebdf2cb5d9504',
    },
  },
  {
    name: 'linux-arm64-gnu',
    os: 'linux',
    cpu: 'arm64',
    libc: 'glibc',
    target: `aarch64-linux-gnu.${OLDEST_GLIBC}`,
    processor: 'aarch64',
    openblas: {
      platform: 'manylinux_2_28_aarch64',
      sha256: 'e085dddbc5b9aa130f83def515d31c440e69f387a90c7e63b154a5575b4466bc',
    },
  },
]

/** @param {Platform} platform */
export const packageName = ({ name }) => `adaptive-tangent-${name}`
