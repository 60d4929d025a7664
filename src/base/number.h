// Numbers as text, in no locale but C's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cria {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Whether all of text is a number of that type: an optional '-', digits, and for double a fraction
// and an exponent. False also for what is out of range; `value` is then as it was.
bool parse_number(std::string_view text, int64_t& value);
bool parse_number(std::string_view text, double& value);

// The shortest text of a finite double that reads back as the same double, and as a double rather
// than an integer: "1.0", "0.1", "1e+22". Valid in JSON and in TOML.
std::string shortest_double(double value);

// A number to so many significant digits: "0.0123", "1.2e-05".
std::string significant(double value, int digits);

// A number with so many digits after the point: "12.30".
std::string fixed(double value, int digits);

}  // namespace cria
