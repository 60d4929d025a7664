#include "report/svg.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/unicode.h"

namespace cria {
namespace {

template <class... Format>
std::string as_text(double value, Format... format) {
  char buffer[400];  // fixed notation of the largest double has 309 digits
  const auto [end, problem] = std::to_chars(buffer, buffer + sizeof buffer, value, format...);
  return {buffer, end};
}

// Without zeros behind the point, and "1e-5" for "1e-05".
std::string trimmed(std::string text) {
  const size_t exponent = std::min(text.find('e'), text.size());
  size_t end = exponent;
  if (text.find('.') < exponent) {
    while (text[end - 1] == '0') --end;
    if (text[end - 1] == '.') --end;
  }
  std::string rest = text.substr(exponent);
  if (rest.size() == 4 && rest[2] == '0') rest.erase(2, 1);
  if (rest.size() > 1 && rest[1] == '+') rest.erase(1, 1);
  text = text.substr(0, end) + rest;
  return text == "-0" ? "0" : text;
}

// Control characters beyond ASCII, characters that are none, and what would turn the direction of
// the text behind it.
bool is_forbidden(uint32_t c) {
  return (c >= 0x80 && c < 0xA0) || (c & 0xFFFE) == 0xFFFE || (c >= 0x202A && c <= 0x202E) ||
         c == 0x2066 || c == 0x2067;
}

}  // namespace

std::string escape_markup(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::string out;
  for (size_t offset = 0; offset < valid.size();) {
    const auto [c, length] = decode_utf8(valid, offset);
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (c < 0x20 && c != '\n' && c != '\t') {
      append_utf8(out, 0x2400 + c);
    } else if (c == 0x7F) {
      append_utf8(out, 0x2421);
    } else if (is_forbidden(c)) {
      append_utf8(out, 0xFFFD);
    } else {
      out += valid.substr(offset, static_cast<size_t>(length));
    }
    offset += static_cast<size_t>(length);
  }
  return out;
}

std::string coordinate_text(double value) {
  return trimmed(as_text(value, std::chars_format::fixed, 2));
}

std::string number_text(double value, int digits) {
  const double size = std::abs(value);
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
  if (size >= 1e4 && size < 1e18) {
    constexpr std::array kPrefixes = {"k", "M", "G", "T", "P"};
    // By what is shown: 999,999 to three digits is 1M, not 1000k.
    const double rounded = std::pow(10, std::floor(std::log10(size)) - digits + 1) * 0.5 + size;
    const auto thousands = static_cast<size_t>(std::log10(rounded) / 3);
    const std::string text =
        as_text(value / std::pow(1000, thousands), std::chars_format::general, digits);
    return trimmed(text) + kPrefixes[std::min(thousands, kPrefixes.size()) - 1];
  }
  const bool is_tiny = size > 0 && size < 1e-3;
  if (!is_tiny && size < 1e4) {
    // General notation would turn to exponents where there are more digits than are asked for.
    const int before = size < 1 ? 1 : static_cast<int>(std::log10(size)) + 1;
    if (before >= digits) return trimmed(as_text(std::round(value), std::chars_format::fixed, 0));
    return trimmed(as_text(value, std::chars_format::general, digits));
  }
  return trimmed(as_text(value, std::chars_format::scientific, digits - 1));
}

std::string cell_text(double value, int digits) {
  return std::isfinite(value) ? number_text(value, digits) : "";
}

std::string percent_text(double share) {
  return std::to_string(std::lround(100 * share)) + "%";
}

double text_width(std::string_view text) {
  double width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char byte = text[i];
    // Marks that isolate a text's direction take no room.
    if (text.substr(i).starts_with("\u2068") || text.substr(i).starts_with("\u2069")) continue;
    if (starts_character(byte)) width += static_cast<unsigned char>(byte) < 0x80 ? 0.62 : 1.1;
  }
  return width;
}

std::string fitted(std::string_view text, double width) {
  if (text_width(text) <= width) return std::string(text);
  constexpr std::string_view kEllipsis = "\u2026";
  size_t end = 0, next = 0;
  while (next < text.size() && text_width(text.substr(0, next)) + 1.1 <= width) {
    end = next++;
    while (next < text.size() && !starts_character(text[next])) ++next;
  }
  return std::string(text.substr(0, end)) + std::string(kEllipsis);
}

void Markup::begin(const char* tag, Attributes attributes) {
  out_ += std::string("<") + tag;
  for (const auto& [name, value] : attributes) {
    out_ += std::string(" ") + name + "=\"" + escape_markup(value) + "\"";
  }
}

void Markup::open(const char* tag, Attributes attributes) {
  begin(tag, attributes);
  out_ += '>';
  open_.push_back(tag);
}

void Markup::close() {
  out_ += std::string("</") + open_.back() + ">";
  open_.pop_back();
}

void Markup::empty(const char* tag, Attributes attributes) {
  begin(tag, attributes);
  out_ += "/>";
}

void Markup::element(const char* tag, Attributes attributes, std::string_view text) {
  open(tag, attributes);
  this->text(text);
  close();
}

std::string Markup::take() {
  while (!open_.empty()) close();
  return std::move(out_);
}

}  // namespace cria
