#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/engine.h"
#include "binding/job.h"

// What every job's call reads of its options.
namespace at {

JobSettings to_settings(const Napi::Object& options, const EngineState& state,
                        JobObject::Holdings& holdings);
// The shared block of that id, which must hold so many floats.
float* result_block(int64_t id, int64_t floats, JobObject::Holdings& holdings);
// Elements of every parameter, from the shapes known before anything runs.
std::vector<int64_t> parameter_sizes(const Tape& tape);
// options.results: one shared block per parameter, `times` its elements.
std::vector<float*> parameter_results(const Napi::Object& options, const Tape& tape, int64_t times,
                                      JobObject::Holdings& holdings);
// options.directions, or one of a path's: (columns, …shape) or null per parameter.
std::vector<const float*> to_directions(const Napi::Array& arrays, const Tape& tape,
                                        int64_t columns, JobObject::Holdings& holdings);
Napi::Value wrap(Napi::Env env, std::unique_ptr<Job> job, JobObject::Holdings holdings);

}  // namespace at
