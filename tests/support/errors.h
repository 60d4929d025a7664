// What an Error says, and whether it says a thing.
#pragma once

#include <string>

#include "cria/base/error.h"

namespace cria {

// The message of the Error that work throws; "" when it throws none.
template <class Work>
std::string error_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace cria
