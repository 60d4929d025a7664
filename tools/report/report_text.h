// Pieces that the reports of several commands are made of.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/number.h"
#include "cli/options.h"
#include "cria/base/json.h"
#include "cria/model/config.h"
#include "cria/text/tokenizer.h"

namespace cria {

void print_json(const Json& json);

// Prints to_json(result...) with --json, else result... by its print. The exit code: 0.
template <class... Result>
int show(const Options& options, const Result&... result) {
  if (options.has("json")) {
    print_json(to_json(result...));
  } else {
    print(result...);
  }
  return 0;
}

// Left-aligned in a column of that many characters.
std::string padded(std::string text, size_t width);

// text, or as much of its beginning as leaves room for "..." within `width` characters.
std::string shortened(const std::string& text, size_t width);

Json shape_json(const std::vector<int64_t>& shape);
Json numbers_json(std::span<const float> numbers);

// fixed; "-" for what is not finite.
std::string fixed_or_dash(double value, int digits);

// a / b; not finite, in JSON null, where b is 0.
double ratio(int64_t a, int64_t b);

// "12.3%" of a total above 0.
std::string percent(int64_t part, int64_t total);

// "1 layer", "2 layers"
std::string plural(int64_t count, const std::string& what);

// A model in a line: "4 layers, hidden 128, 4 heads of 32, 4 kv, mlp 344, vocabulary 65, rope,
// tied".
std::string config_text(const ModelConfig& config);

struct BarRow {
  std::string label;
  int64_t count;
};

// A line per row: label, count, share of all and a bar as long, the largest 40 cells.
void print_bars(const std::vector<BarRow>& rows);

struct TableColumn {
  std::string heading;
  bool is_text = false;      // left-aligned
  bool is_optional = false;  // left out where lines are too short; such columns come last
};

// Lines of cells below the headings, each column as wide as its widest cell. Where that would not
// fit report_width(), the first column, which is text, is shortened, and optional ones go. A line
// of a single cell stands there as it is.
void print_table(const std::vector<TableColumn>& columns,
                 std::vector<std::vector<std::string>> lines);

// Columns that output on this standard output may have: the terminal's, at most 100.
size_t report_width();

// The bytes of a token; nothing without a tokenizer, or for an id that is none of its.
std::optional<std::string_view> token_of(const Tokenizer* tokenizer, int32_t id);

// Its text; a token may be part of a character, which JSON cannot hold: U+FFFD then. Null for none.
Json token_json(const Tokenizer* tokenizer, int64_t id);

// Stands where a token is shown, for an id that the tokenizer does not have.
inline constexpr const char* kNoToken = "(not in the tokenizer)";

// The token for a column at the end of a line, quoted; "" without a tokenizer.
std::string quoted_token(const Tokenizer* tokenizer, int32_t id);

// [{"id", "text"}, ...]; a text is null where there is none.
Json tokens_json(const Tokenizer* tokenizer, const std::vector<int32_t>& ids);

// The tokens side by side, if there is a tokenizer, and the ids if not or if asked for.
void print_tokens(const std::string& heading, const Tokenizer* tokenizer,
                  const std::vector<int32_t>& ids, bool show_ids);

}  // namespace cria
