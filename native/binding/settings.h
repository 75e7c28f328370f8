#pragma once

#include <napi.h>

#include "binding/job.h"
#include "jobs/options.h"

namespace at {
inline namespace AT_PRECISION {

// Reads an object's properties by the types that `fields` declares: an object of names and types
// ("integer", "text", …; an object again for a record), as lib/runtime/jobs writes them. Properties
// that are undefined are left out. What the options point to is kept alive by the holdings.
Options to_options(const Napi::Object& fields, const Napi::Object& object,
                   JobObject::Holdings& holdings);

}  // namespace AT_PRECISION
}  // namespace at
