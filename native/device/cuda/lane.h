#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"
#include "device/copies.h"
#include "device/cuda/launches.h"
#include "device/cuda/libraries.h"

namespace at::device::cuda {

inline void check_library(int status, const char* what) {
  if (status == 0) return;
  throw Error("FAILED", std::string(what) + " failed with the status " + std::to_string(status));
}

// Pinned memory that copies of any size pass through, piece by piece.
class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    for (Piece& piece : pieces_) {
      if (piece.arrived) cudaEventDestroy(piece.arrived);
      if (piece.memory) cudaFreeHost(piece.memory);
    }
  }

  // `from` has been read when this returns.
  void up(cudaStream_t stream, char* to, const char* from, size_t bytes) {
    for (size_t done = 0; done < bytes; done += kPiece) {
      const size_t part = std::min(kPiece, bytes - done);
      Piece& piece = next();
      copy_in_parallel(piece.memory, from + done, part);
      check(cudaMemcpyAsync(to + done, piece.memory, part, cudaMemcpyHostToDevice, stream),
            "a copy");
      check(cudaEventRecord(piece.arrived, stream), "an event");
    }
  }
  // `to` has been written when this returns.
  void down(cudaStream_t stream, char* to, const char* from, size_t bytes) {
    size_t asked = 0;
    for (size_t done = 0; done < bytes; done += kPiece) {
      for (; asked < bytes && asked < done + kPieces * kPiece; asked += kPiece) {
        Piece& piece = at(asked);
        check(cudaMemcpyAsync(piece.memory, from + asked, std::min(kPiece, bytes - asked),
                              cudaMemcpyDeviceToHost, stream),
              "a copy");
        check(cudaEventRecord(piece.arrived, stream), "an event");
      }
      Piece& piece = at(done);
      check(cudaEventSynchronize(piece.arrived), "a copy");
      copy_in_parallel(to + done, piece.memory, std::min(kPiece, bytes - done));
    }
  }

 private:
  static constexpr size_t kPiece = size_t{8} << 20, kPieces = 4;
  struct Piece {
    char* memory = nullptr;
    cudaEvent_t arrived = nullptr;
  };

  Piece& at(size_t byte) {
    Piece& piece = pieces_[byte / kPiece % kPieces];
    if (!piece.arrived)
      check(cudaEventCreateWithFlags(&piece.arrived, cudaEventDisableTiming), "cudaEventCreate");
    if (!piece.memory) {
      void* memory = nullptr;
      check(cudaHostAlloc(&memory, kPiece, cudaHostAllocPortable), "cudaHostAlloc");
      piece.memory = static_cast<char*>(memory);
    }
    return piece;
  }
  // The piece that has been on its way for longest, arrived.
  Piece& next() {
    Piece& piece = at(turn_++ % kPieces * kPiece);
    check(cudaEventSynchronize(piece.arrived), "a copy");
    return piece;
  }

  Piece pieces_[kPieces];
  size_t turn_ = 0;
};

// What a stream of a card is made of, which takes long to make: it serves one stream after another.
struct Lane {
  explicit Lane(int of) : card(of) {
    check(cudaSetDevice(card), "cudaSetDevice");
    for (cudaStream_t* each : {&stream, &rising, &falling})
      check(cudaStreamCreateWithFlags(each, cudaStreamNonBlocking), "cudaStreamCreate");
    check(cudaEventCreateWithFlags(&sent, cudaEventDisableTiming), "cudaEventCreate");
    check_library(lib.blas_create(&blas), "cublasCreate");
    check_library(lib.blas_set_stream(blas, stream), "cublasSetStream");
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane() {
    cudaSetDevice(card);
    for (cudaEvent_t each : events) cudaEventDestroy(each);
    if (sent) cudaEventDestroy(sent);
    if (params) lib.params_destroy(params);
    if (solver) lib.solver_destroy(solver);
    if (blas) lib.blas_destroy(blas);
    for (cudaStream_t each : {stream, rising, falling})
      if (each) cudaStreamDestroy(each);
  }

  void open_solver() {
    if (params) return;
    if (!solver) check_library(lib.solver_create(&solver), "cusolverDnCreate");
    check_library(lib.solver_set_stream(solver, stream), "cusolverDnSetStream");
    check_library(lib.params_create(&params), "cusolverDnCreateParams");
  }
  // cuBLAS keeps how it multiplies until it is told otherwise.
  void set_math(int mode) {
    if (mode == math) return;
    check_library(lib.blas_set_math(blas, mode), "cublasSetMathMode");
    math = mode;
  }
  // Waits for all of it; false when something failed.
  bool idle() const {
    bool good = true;
    for (cudaStream_t each : {stream, rising, falling})
      good = cudaStreamSynchronize(each) == cudaSuccess && good;
    return good;
  }
  cudaEvent_t take_event() {
    cudaEvent_t event = nullptr;
    if (events.empty()) {
      check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
      return event;
    }
    event = events.back();
    events.pop_back();
    return event;
  }

  const Libraries& lib = libraries();
  int card;
  // Work in its order, copies from the host that run ahead of it, copies to the host behind it.
  cudaStream_t stream = nullptr, rising = nullptr, falling = nullptr;
  cudaEvent_t sent = nullptr;
  Blas blas = nullptr;
  int math = kDefaultMath;
  Solver solver = nullptr;
  SolverParams params = nullptr;
  Ring up, down;
  std::vector<cudaEvent_t> events;  // that mark nothing now
};

// The lanes of all cards that no stream uses, and how many streams use others. They are never
// destroyed: at the end of the process the driver may be gone.
class Lanes {
 public:
  static Lanes& instance() {
    static Lanes& lanes = *new Lanes;
    return lanes;
  }
  std::unique_ptr<Lane> take(int card) {
    std::lock_guard<std::mutex> lock(mutex_);
    Card& own = cards_[card];
    std::unique_ptr<Lane> lane;
    if (own.idle.empty()) {
      lane = std::make_unique<Lane>(card);
    } else {
      lane = std::move(own.idle.back());
      own.idle.pop_back();
    }
    ++own.streams;
    return lane;
  }
  // Of its memory a card that nobody uses keeps a quarter for the next one; others get the rest.
  void give(std::unique_ptr<Lane> lane) noexcept {
    const int card = lane->card;
    cudaSetDevice(card);
    const bool good = lane->idle();
    std::lock_guard<std::mutex> lock(mutex_);
    Card& own = cards_[card];
    if (good) own.idle.push_back(std::move(lane));
    if (--own.streams > 0) return;
    size_t available = 0, total = 0;
    cudaMemPool_t pool = nullptr;
    if (cudaMemGetInfo(&available, &total) == cudaSuccess &&
        cudaDeviceGetDefaultMemPool(&pool, card) == cudaSuccess)
      cudaMemPoolTrimTo(pool, total / 4);
    cudaGetLastError();
  }

 private:
  struct Card {
    std::vector<std::unique_ptr<Lane>> idle;
    int streams = 0;
  };
  std::mutex mutex_;
  std::map<int, Card> cards_;
};

}  // namespace at::device::cuda
