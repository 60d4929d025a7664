// SVG and HTML as text: what is opened is closed, what is not markup is escaped.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cria {

// For any text of a file between tags and in quoted attributes. What no page may hold is shown by a
// stand-in: control characters as their pictures (U+2400 + c), except for new lines and tabs; as
// U+FFFD bytes that are not UTF-8, and what turns the direction of text beyond its own end.
std::string escape_markup(std::string_view text);

// A coordinate: at most two digits after the point, none that is zero.
std::string coordinate_text(double value);

// A number to be read, to so many significant digits: "0.0123", "1.23e-5", "1.54M" (10^6; also k,
// G, T, P). Of what is not finite "nan", "inf" and "-inf".
std::string number_text(double value, int digits = 4);

// The same; "" for what is not finite.
std::string cell_text(double value, int digits = 4);

// A share of 1 as "12%".
std::string percent_text(double share);

// How wide a text is, in units of the font's size: a guess that is rather too large.
double text_width(std::string_view text);

// text, or as much of its beginning as leaves room for an ellipsis within that width.
std::string fitted(std::string_view text, double width);

class Markup {
 public:
  using Attributes = std::initializer_list<std::pair<const char*, std::string>>;

  void open(const char* tag, Attributes attributes = {});
  void close();                                             // what was opened last
  void empty(const char* tag, Attributes attributes = {});  // <tag/>
  void element(const char* tag, Attributes attributes, std::string_view text);
  void text(std::string_view text) { out_ += escape_markup(text); }
  void raw(std::string_view markup) { out_ += markup; }  // as it is
  std::string take();                                    // closes what is open

 private:
  void begin(const char* tag, Attributes attributes);

  std::string out_;
  std::vector<const char*> open_;
};

}  // namespace cria
