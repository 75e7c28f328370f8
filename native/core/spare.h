#pragma once

#include <cstddef>

namespace at {

// Large blocks of memory that were given up wait here for later ones, because first-touch page
// faults are slow on virtual machines. Neighbours join and are cut again, so that what stands in
// memory stays near the most that was in use at once. Thread-safe.

// Memory, 2 MiB aligned and asking for huge pages, its contents undefined; null when there is none.
// `bytes` is a multiple of 2 MiB.
void* take_block(size_t bytes);
void give_block(void* data, size_t bytes);
// Gives spare blocks back to the system.
void release_spare_memory();

}  // namespace at
