/** The product of sizes that are known to be sound; `elementCount` of io checks those of a file or caller. */
export const shapeSize = (sizes: readonly number[]): number =>
  sizes.reduce((product, size) => product * size, 1)
