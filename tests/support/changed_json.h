// JSON with one value changed, or left out.
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

// The object without that key.
inline Json without(const Json& json, const std::string& key) {
  Json::Object rest = json.as_object("test");
  std::erase_if(rest, [&](const auto& member) { return member.first == key; });
  return rest;
}

}  // namespace cria
