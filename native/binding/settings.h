#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/job.h"

// What every job's call reads of its options.
namespace at {
inline namespace AT_PRECISION {

JobSettings to_settings(const Napi::Object& options, const EngineState& state,
                        JobObject::Holdings& holdings);
// The shared block of that id, which must hold so many floats.
Real* result_block(int64_t id, int64_t floats, JobObject::Holdings& holdings);
// Elements of every parameter, from the shapes known before anything runs.
std::vector<int64_t> parameter_sizes(const Tape& tape);
// options.results: one shared block per parameter, `times` its elements.
std::vector<Real*> parameter_results(const Napi::Object& options, const Tape& tape, int64_t times,
                                     JobObject::Holdings& holdings);
// options.directions, or one of a path's: (columns, …shape) or null per parameter.
std::vector<const Real*> to_directions(const Napi::Array& arrays, const Tape& tape, int64_t columns,
                                       JobObject::Holdings& holdings);
Napi::Value wrap(Napi::Env env, std::unique_ptr<Job> job, JobObject::Holdings holdings);

// What the calls that start a job begin with.
struct JobRequest {
  JobRequest(const Napi::CallbackInfo& info, const std::shared_ptr<EngineState>& state)
      : options(info[0].ToObject()), tape(state->analysis.tape) {
    holdings.engine = state;
    settings = to_settings(options, *state, holdings);
  }
  Napi::Object options;
  const Tape& tape;
  JobObject::Holdings holdings;
  JobSettings settings;
};

// make(JobRequest&) → the job, with errors turned into JavaScript's.
template <class Make>
Napi::Value start_job(const Napi::CallbackInfo& info, const std::shared_ptr<EngineState>& state,
                      const Make& make) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    JobRequest request(info, state);
    std::unique_ptr<Job> job = make(request);
    return wrap(info.Env(), std::move(job), std::move(request.holdings));
  });
}

}  // namespace AT_PRECISION
}  // namespace at
