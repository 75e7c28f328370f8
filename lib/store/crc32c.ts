// The checksum that zarr's codec `crc32c` appends to a chunk; zarrita only reads past it.
import checksum from 'crc-32/crc32c.js'

/** CRC-32C of some bytes (RFC 3720, B.4), as zarr stores it: 4 bytes, the lowest first. */
export function crc32c(bytes: Uint8Array): Uint8Array {
  const sum = new Uint8Array(4)
  new DataView(sum.buffer).setInt32(0, checksum.buf(bytes), true)
  return sum
}
