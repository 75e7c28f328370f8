#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "rules/support/lanes.h"

namespace at {
inline namespace AT_PRECISION {

// Planes of numbers are not whole pages apart, or they would share the same places of a cache.
constexpr int64_t kApart = 2 * kLanes;

// Room for copies, 0 everywhere.
inline Real* cleared(Real* copies, int64_t size) {
  std::fill(copies, copies + size, Real(0.0));
  return copies;
}

// The phases that a tile has: of most kinds a single one, which the compiler is to know.
template <class Tiles>
AT_PORTABLE int phases_of(int64_t phases) {
  return Tiles::kStrided ? static_cast<int>(phases) : 1;
}

// A row of a plane: most are so short that a call of memcpy takes longer than the move.
AT_PORTABLE void copy_row(const Real* from, int64_t count, Real* to) {
  constexpr int64_t kLong = 4 * kLanes;
  if (count == 4) {
    std::memcpy(to, from, sizeof(Real) * 4);
  } else if (count < kLanes) {
    for (int64_t e = 0; e < count; ++e) to[e] = from[e];
  } else if (count < kLong) {
    for (int64_t e = 0; e + kLanes < count; e += kLanes) store(load(from + e), to + e);
    store(load(from + count - kLanes), to + count - kLanes);
  } else {
    std::memcpy(to, from, sizeof(Real) * count);
  }
}

// Has the cache fetch two lines, to be read (0) or written (1): nearly all of the row of a tile.
template <int write>
AT_PORTABLE void fetch_lines(const Real* from) {
  __builtin_prefetch(from, write);
  __builtin_prefetch(from + 2 * kLanes, write);
}

// How the planes (height, width) of images are cut into tiles of (rows, columns) numbers, each
// `down` and `along` from the one before it; the first begins before_y and before_x outside.
struct Tiling {
  int64_t height, width, rows, columns, down, along, before_y, before_x;
  int64_t tiles_down, tiles_along;
  int64_t per_image() const { return tiles_down * tiles_along; }
};

// Some tiles of all images, [first, last), and tiles of zeros up to a whole number of lanes: where
// they begin in copies of what of the planes they see, with zeros around.
class Strips {
 public:
  // `apart`: from an image's plane to the next one's. Then what lies inside is read where it
  // stands, where that saves most of the copies.
  Strips(const Tiling& tiling, int64_t first, int64_t last, int64_t apart = 0) : tiling_(tiling) {
    constexpr int64_t kMany = 8;
    const Tiling& t = tiling_;
    const auto count = static_cast<size_t>((last - first + kLanes - 1) / kLanes * kLanes);
    starts_.reserve(count);
    copied_.reserve(count);
    if (apart > 0 && t.rows == 1 && t.tiles_along >= kMany) {
      for (int64_t tile = first; tile < last; ++tile) add_one(tile, apart);
    } else {
      add_strips(first, last);
    }
    starts_.resize(count, size_);
    copied_.resize(count, 1);
    steps_.resize(count, t.columns);
    size_ += t.rows * t.columns;
  }

  // Tiles, those of zeros included.
  int64_t count() const { return static_cast<int64_t>(starts_.size()); }
  // Numbers of the copies, which are 0 before the first copy is made.
  int64_t size() const { return size_; }

  template <class PlaneOf>
  void copy(const PlaneOf& plane_of, Real* copies) const {
    const Tiling& t = tiling_;
    for (const Strip& strip : strips_) {
      const Real* plane = plane_of(strip.image);
      const int64_t y0 = std::max<int64_t>(0, -strip.y);
      const int64_t y1 = std::min(strip.rows, t.height - strip.y);
      const int64_t x0 = std::max<int64_t>(0, -strip.x);
      const int64_t x1 = std::min(strip.columns, t.width - strip.x);
      if (x0 >= x1) continue;
      for (int64_t y = y0; y < y1; ++y)
        copy_row(plane + (strip.y + y) * t.width + strip.x + x0, x1 - x0,
                 copies + strip.at + y * strip.columns + x0);
    }
  }

  // What lies in lanes side by side: neighbouring tiles of one plane of every image, which begins
  // at `plane` in the first, from tile `first` on,
  AT_PORTABLE auto neighbours(const Real* plane, const Real* copies, int64_t first) const {
    return Neighbours{
        {plane, copies}, copied_.data() + first, starts_.data() + first, steps_.data() + first};
  }
  // or one tile of as many planes, whose copies are `apart` from one another.
  AT_PORTABLE auto abreast(const Real* copies, int64_t apart, int64_t tile) const {
    return Abreast{copies + starts_[static_cast<size_t>(tile)], apart,
                   steps_[static_cast<size_t>(tile)]};
  }

 private:
  struct Strip {
    int64_t image, y, x, rows, columns, at;
  };
  struct Neighbours {
    const Real* from[2];
    const unsigned char* copied;
    const int64_t *starts, *steps;
    AT_PORTABLE const Real* row(int lane, int r) const {
      return from[copied[lane]] + starts[lane] + r * steps[lane];
    }
    // Has the cache fetch what lies `apart` further on.
    AT_PORTABLE void fetch(int64_t apart) const {
      for (int l = 0; l < kLanes; ++l) fetch_lines<0>(row(l, 0) + apart);
    }
  };
  struct Abreast {
    const Real* first;
    int64_t apart, step;
    AT_PORTABLE const Real* row(int lane, int r) const { return first + lane * apart + r * step; }
  };

  // A tile of one row: copied where a part of it lies outside.
  void add_one(int64_t tile, int64_t apart) {
    const Tiling& t = tiling_;
    const int64_t image = tile / t.per_image(), own = tile % t.per_image();
    const int64_t y = own / t.tiles_along * t.down - t.before_y;
    const int64_t x = own % t.tiles_along * t.along - t.before_x;
    const bool inside = y >= 0 && y < t.height && x >= 0 && x + t.columns <= t.width;
    starts_.push_back(inside ? image * apart + y * t.width + x : size_);
    copied_.push_back(inside ? 0 : 1);
    steps_.push_back(t.columns);
    if (inside) return;
    strips_.push_back({image, y, x, 1, t.columns, size_});
    size_ += t.columns;
  }

  void add_strips(int64_t first, int64_t last) {
    const Tiling& t = tiling_;
    for (int64_t tile = first; tile < last;) {
      const int64_t image = tile / t.per_image(), end = std::min(last, (image + 1) * t.per_image());
      const int64_t a = tile % t.per_image(), b = a + end - tile;
      // Whole rows of tiles, or part of a single one.
      const bool single = t.tiles_down == 1;
      const int64_t y0 = a / t.tiles_along, y1 = (b - 1) / t.tiles_along + 1;
      const int64_t x0 = single ? a : 0, x1 = single ? b : t.tiles_along;
      Strip strip;
      strip.image = image;
      strip.y = y0 * t.down - t.before_y;
      strip.x = x0 * t.along - t.before_x;
      strip.rows = (y1 - 1 - y0) * t.down + t.rows;
      strip.columns = (x1 - 1 - x0) * t.along + t.columns;
      strip.at = size_;
      for (int64_t k = a; k < b; ++k, ++tile) {
        starts_.push_back(size_ + (k / t.tiles_along - y0) * t.down * strip.columns +
                          (k % t.tiles_along - x0) * t.along);
        copied_.push_back(1);
        steps_.push_back(strip.columns);
      }
      size_ += strip.rows * strip.columns;
      strips_.push_back(strip);
    }
  }

  const Tiling tiling_;
  std::vector<Strip> strips_;
  std::vector<int64_t> starts_, steps_;  // of every tile
  std::vector<unsigned char> copied_;
  int64_t size_ = 0;
};

// to (kRows, ld) = the numbers of what lies in lanes side by side, `columns` of every row.
template <int kRows, class Source>
AT_PORTABLE void take(const Source& source, int64_t ld, int64_t columns, Lanes* to) {
  for (int r = 0; r < kRows; ++r)
    for (int64_t b = 0; b < columns; b += kLanes) {
      Lanes* rows = to + r * ld + b;
      for (int l = 0; l < kLanes; ++l) rows[l] = load(source.row(l, r) + b);
      turn(rows);
    }
}

// to[begin, end) = the same of row. Few numbers, for which a call of memcpy takes longer.
AT_PORTABLE void put(const Real* row, int64_t begin, int64_t end, Real* to) {
  if (end - begin >= kLanes) {
    for (int64_t e = begin; e + kLanes < end; e += kLanes) store(load(row + e), to + e);
    store(load(row + end - kLanes), to + end - kLanes);
  } else if (begin == 0 && end == 4) {
    std::memcpy(to, row, sizeof(Real) * 4);
  } else {
    for (int64_t e = begin; e < end; ++e) to[e] = row[e];
  }
}

// Writes what was computed of tiles [first, last) of all images, in lanes (kRows, kColumns), where
// it lies inside the planes; of a row `width` numbers count. Where the tile after it overwrites
// what is too much, whole lanes are written. What is given is turned.
template <int kRows, int kColumns, class PlaneOf>
AT_PORTABLE void give(Lanes* made, const Tiling& t, int64_t width, int64_t first, int64_t last,
                      const PlaneOf& plane_of) {
  for (int r = 0; r < kRows; ++r)
    for (int64_t b = 0; b < width; b += kLanes) turn(made + r * kColumns + b);
  int64_t image = first / t.per_image(), down = first % t.per_image() / t.tiles_along;
  int64_t along = first % t.tiles_along;
  for (int64_t l = 0; l < std::min<int64_t>(kLanes, last - first); ++l) {
    const int64_t y = down * t.down - t.before_y, x = along * t.along - t.before_x;
    Real* to = plane_of(image) + y * t.width + x;
    // The next plane's are written next.
    if constexpr (kRows == 1) fetch_lines<1>(to + t.height * t.width);
    // Step by step: divisions would take longer than the rest.
    if (++along == t.tiles_along) {
      along = 0;
      if (++down == t.tiles_down) {
        down = 0;
        ++image;
      }
    }
    const int64_t rows = std::min<int64_t>(kRows, t.height - y);
    const int64_t begin = std::max<int64_t>(0, -x), end = std::min(width, t.width - x);
    const bool whole = begin == 0 && x + rounded(width) <= t.width && first + l + 1 < last;
    for (int64_t r = 0; r < rows; ++r) {
      if (whole) {
        for (int64_t b = 0; b < width; b += kLanes)
          store(made[r * kColumns + b + l], to + r * t.width + b);
        continue;
      }
      Real row[kColumns];
      for (int64_t b = 0; b < width; b += kLanes) store(made[r * kColumns + b + l], row + b);
      put(row, begin, end, to + r * t.width);
    }
  }
}

}  // namespace AT_PRECISION
}  // namespace at
