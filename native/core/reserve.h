#pragma once

namespace at {

// Makes sure that BLAS has a work buffer for each of so many threads (0: all cores). Without memory
// for one its threads would wait for ever. Throws OUT_OF_MEMORY.
void reserve_for_threads(int threads);

}  // namespace at
