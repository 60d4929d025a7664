// One rule of the demo corpus's grammar.
#pragma once

#include <string_view>

namespace cria {

struct DemoRule {
  std::string_view name;
  std::string_view fields;  // names of the '/'-separated fields of each alternative; "" for none
  std::string_view body;    // alternatives separated by '|'
};

}  // namespace cria
