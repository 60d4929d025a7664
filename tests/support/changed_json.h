// JSON with one value changed.
#pragma once

#include <string>
#include <vector>

#include "cria/base/json.h"

namespace cria {

// keys: the way to the value, through objects that are made where they are missing.
inline Json with(const Json& json, std::vector<std::string> keys, const Json& value) {
  if (keys.empty()) return value;
  const std::string first = keys.front();
  keys.erase(keys.begin());
  Json changed = json;
  const Json* const inner = json.find(first);
  changed.set(first, with(inner ? *inner : Json(), keys, value));
  return changed;
}

}  // namespace cria
