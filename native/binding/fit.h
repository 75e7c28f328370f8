#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "core/control.h"
#include "fit/features.h"
#include "fit/structure.h"

namespace at {

// Everything of native/fit that JavaScript sees.
void export_solve(Napi::Env env, Napi::Object exports);

void export_solve_penalty(Napi::Env env, Napi::Object exports);
void export_solve_features(Napi::Env env, Napi::Object exports);
void export_solve_fit(Napi::Env env, Napi::Object exports);
void export_solve_flow(Napi::Env env, Napi::Object exports);

// The features that an instance of SolveFeatures holds, shared.
fit::FeatureSet features_of(const Napi::Value& value);

std::shared_ptr<const fit::Penalty> to_penalty(const Napi::Value& value);
fit::BlockRule to_rule(const Napi::Object& object);
fit::Transform to_transform(const Napi::Object& object);
Napi::Object from_transform(Napi::Env env, const fit::Transform& transform);

bool is_float64(const Napi::Value& value);
// A square matrix of n × n numbers of either width.
std::vector<double> to_matrix(const Napi::Value& value, int64_t n);
std::vector<double> to_doubles(const Napi::Value& value, const char* what);
// `count` numbers, from a Float64Array or a Float32Array.
std::vector<double> to_numbers(const Napi::Value& value, int64_t count, const char* what);
Napi::Float64Array from_doubles(Napi::Env env, const std::vector<double>& values);
Napi::Float64Array from_doubles(Napi::Env env, const double* values, size_t count);

}  // namespace at
