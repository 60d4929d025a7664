#include "base/number.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <version>

// libc++ has had from_chars for floating point only since LLVM 20.
#ifndef __cpp_lib_to_chars
#include <locale>
#include <sstream>
#endif

namespace cria {
namespace {

template <class Number>
bool parse_all(std::string_view text, Number& value) {
  const char* const end = text.data() + text.size();
  Number parsed{};
  const auto [stop, error] = std::from_chars(text.data(), end, parsed);
  if (error != std::errc{} || stop != end) return false;
  value = parsed;
  return true;
}

}  // namespace

bool parse_number(std::string_view text, int64_t& value) {
  return parse_all(text, value);
}

bool parse_number(std::string_view text, double& value) {
#ifdef __cpp_lib_to_chars
  return parse_all(text, value);
#else
  if (text.empty() || text.find_first_not_of("+-.0123456789eE") != text.npos) return false;
  std::istringstream stream{std::string(text)};
  stream.imbue(std::locale::classic());
  double parsed = 0;
  if (!(stream >> parsed) || stream.peek() != std::istringstream::traits_type::eof()) return false;
  value = parsed;
  return true;
#endif
}

std::string shortest_double(double value) {
  char buffer[32];  // the longest shortest form has 24 characters
  const auto [end, problem] = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, end);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

std::string significant(double value, int digits) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.*g", digits, value);
  return text.data();
}

std::string fixed(double value, int digits) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

}  // namespace cria
