// Comparing arrays: within the bounds of a reference, or bit by bit.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "support/bounded.h"

namespace cria {

// A kernel may choose an algebraically equal form (r s - x (r m) for r (s - n m), say), which
// rounds the same quantities once more at most: twice the bound of the form as written.
inline constexpr double kFormFactor = 2.0;

inline ::testing::AssertionResult within(const std::vector<float>& got, const BoundedValues& want) {
  if (got.size() != want.size()) {
    return ::testing::AssertionFailure() << got.size() << " values, expected " << want.size();
  }
  size_t wrong = 0, first = 0;
  for (size_t i = got.size(); i-- > 0;) {
    const double tolerance = kFormFactor * want[i].error;
    // Written so that NaN, and a bound that says nothing, count as wrong.
    if (std::isfinite(tolerance) && std::abs(got[i] - want[i].value) <= tolerance) continue;
    ++wrong;
    first = i;
  }
  if (wrong == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << wrong << " of " << got.size() << " values are wrong; first at " << first << ": got "
         << got[first] << ", expected " << want[first].value << " +- "
         << kFormFactor * want[first].error;
}

inline ::testing::AssertionResult same_bits(const std::vector<float>& got,
                                            const std::vector<float>& want) {
  if (got.size() != want.size()) {
    return ::testing::AssertionFailure() << got.size() << " values, expected " << want.size();
  }
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::memcmp(&got[i], &want[i], sizeof(float)) != 0) {
      return ::testing::AssertionFailure()
             << "differs at " << i << ": " << got[i] << ", expected " << want[i];
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace cria
