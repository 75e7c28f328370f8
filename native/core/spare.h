#pragma once

#include <cstddef>

namespace at {

// Large blocks of memory that were given up wait here for the next of their size, because
// first-touch page faults are dear on virtual machines. Before new memory is asked for they make
// room, so that they never raise the peak. Thread-safe.

// A spare block of exactly `bytes`, or memory from the system, 2 MiB aligned and asking for huge
// pages; null when there is none. `bytes` is a multiple of 2 MiB.
void* take_block(size_t bytes);
void give_block(void* data, size_t bytes);
// Gives spare blocks back to the system.
void release_spare_memory();

}  // namespace at
