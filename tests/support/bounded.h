// Where the tolerances of the kernel tests come from: a number in double precision together with a
// bound on the error that a fp32 evaluation of the same formula may have, in any order of
// summation, with or without fused multiply-add. The bound is carried through every operation:
// what the operands' errors become, plus this operation's own rounding.
// Source: Higham, Accuracy and Stability of Numerical Algorithms, chapters 2 to 4.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace cria {

inline constexpr double kEpsilon = 0x1.0p-24;              // unit roundoff of fp32
inline constexpr double kSmallestNormal = 0x1.0p-126;      // results below may be flushed to zero
inline constexpr double kFunctionRounding = 4 * kEpsilon;  // exp and log: two units in last place

struct Bounded {
  double value = 0.0;
  double error = 0.0;

  Bounded() = default;
  Bounded(double exact) : value(exact) {}  // implicit: inputs and constants are exact
  Bounded(double value_, double error_) : value(value_), error(error_) {}
};

// The result of one operation: `inherited` comes from the operands.
inline Bounded rounded(double value, double inherited) {
  return {value, inherited + kEpsilon * std::abs(value) + kSmallestNormal};
}

inline Bounded operator-(const Bounded& a) {
  return {-a.value, a.error};
}

inline Bounded operator+(const Bounded& a, const Bounded& b) {
  return rounded(a.value + b.value, a.error + b.error);
}

inline Bounded operator-(const Bounded& a, const Bounded& b) {
  return a + -b;
}

inline Bounded operator*(const Bounded& a, const Bounded& b) {
  return rounded(a.value * b.value,
                 std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error);
}

inline Bounded operator/(const Bounded& a, const Bounded& b) {
  const double quotient = a.value / b.value;
  const double smallest = std::abs(b.value) - b.error;
  return rounded(quotient, smallest > 0 ? (a.error + std::abs(quotient) * b.error) / smallest
                                        : std::numeric_limits<double>::infinity());
}

inline Bounded sqrt(const Bounded& a) {
  const double root = std::sqrt(a.value);
  return rounded(root, root - std::sqrt(std::max(0.0, a.value - a.error)));
}

inline Bounded exp(const Bounded& a) {
  const double power = std::exp(a.value);
  return rounded(power, std::exp(a.value + a.error) - power + kFunctionRounding * power);
}

inline Bounded log(const Bounded& a) {
  const double logarithm = std::log(a.value);
  return rounded(logarithm, logarithm - std::log(std::max(0.0, a.value - a.error)) +
                                kFunctionRounding * std::abs(logarithm));
}

// n terms in any order: every one of them goes through at most n additions, so that the error is
// at most n epsilon times the sum of their magnitudes (to first order; the quotient is rigorous).
class Sum {
 public:
  void add(const Bounded& term) {
    value_ += term.value;
    magnitude_ += std::abs(term.value) + term.error;
    error_ += term.error;
    ++count_;
  }

  Bounded total() const {
    const double growth = static_cast<double>(count_) * kEpsilon;
    return {value_, error_ + growth / (1 - growth) * magnitude_};
  }

 private:
  double value_ = 0.0, magnitude_ = 0.0, error_ = 0.0;
  int64_t count_ = 0;
};

using BoundedValues = std::vector<Bounded>;

}  // namespace cria
