#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// Where each row (or column) of a batched matrix product goes in a MatrixFactor: which sample,
// which group, which position.
struct Places {
  int64_t samples = 1, groups = 1, positions = 1;
  // (i·G + g)·T + t of every row, in the order of the output's rows.
  std::vector<int64_t> slot;
};

// Gives rows their slots: group_of(row) and sample_of(row) for `rows` rows, positions counted up.
template <class Group, class Sample>
Places place_rows(int64_t rows, int64_t groups, int64_t samples, const Group& group_of,
                  const Sample& sample_of_row) {
  Places places;
  places.groups = groups;
  places.samples = samples;
  places.positions = rows / (groups * samples);
  std::vector<int64_t> used(static_cast<size_t>(groups * samples), 0);
  places.slot.resize(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t cell = sample_of_row(r) * groups + group_of(r);
    const int64_t position = used[static_cast<size_t>(cell)]++;
    if (position >= places.positions) throw std::logic_error("rows are shared out unevenly");
    places.slot[static_cast<size_t>(r)] = cell * places.positions + position;
  }
  return places;
}

// Copies (count, blocks) matrices of (rows × width), or (width × rows) with `columns`, to
// (slots, count, width): block b holds the rows from b·rows on of `places`.
void pack_blocks(const Real* from, int64_t count, int64_t blocks, int64_t rows, int64_t width,
                 bool columns, const Places& places, Real* to);

// to (n × m) = from (m × n) transposed, with row strides.
void transpose_block(const Real* from, int64_t m, int64_t n, int64_t from_stride, Real* to,
                     int64_t to_stride);

}  // namespace AT_PRECISION
}  // namespace at
