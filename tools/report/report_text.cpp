#include "report/report_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/unicode.h"
#include "cli/terminal.h"
#include "report/token_display.h"

namespace cria {

void print_json(const Json& json) {
  std::printf("%s\n", json.dump().c_str());
}

std::string padded(std::string text, size_t width) {
  text.append(width - std::min(width, count_characters(text)), ' ');
  return text;
}

std::string shortened(const std::string& text, size_t width) {
  size_t characters = 0, end = 0;  // what fits before "..."
  for (size_t at = 0; at < text.size(); ++at) {
    if (!starts_character(text[at])) continue;
    if (characters == width - 3) end = at;
    if (characters++ == width) return text.substr(0, end) + "...";
  }
  return text;
}

Json shape_json(const std::vector<int64_t>& shape) {
  return Json::Array(shape.begin(), shape.end());
}

Json numbers_json(std::span<const float> numbers) {
  Json::Array array;
  for (const float number : numbers) array.emplace_back(static_cast<double>(number));
  return array;
}

std::string fixed_or_dash(double value, int digits) {
  return std::isfinite(value) ? fixed(value, digits) : "-";
}

double ratio(int64_t a, int64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

std::string percent(int64_t part, int64_t total) {
  return fixed(100 * ratio(part, total), 1) + "%";
}

std::string plural(int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string config_text(const ModelConfig& c) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  std::string text = plural(c.num_hidden_layers, "layer") + ", hidden " + number(c.hidden_size) +
                     ", " + plural(c.num_attention_heads, "head") + " of " + number(c.head_dim);
  text += ", " + number(c.num_key_value_heads) + " kv, mlp " + number(c.intermediate_size);
  text += ", vocabulary " + number(c.vocab_size) + ", " + c.position;
  return text + (c.tie_word_embeddings ? ", tied" : ", untied");
}

void print_bars(const std::vector<BarRow>& rows) {
  constexpr int64_t kCells = 40;
  int64_t total = 0, largest = 1;
  size_t label_width = 5, count_width = 6;
  for (const BarRow& row : rows) {
    total += row.count;
    largest = std::max(largest, row.count);
    label_width = std::max(label_width, row.label.size());
    count_width = std::max(count_width, std::to_string(row.count).size());
  }
  for (const BarRow& row : rows) {
    std::string bar;
    const int64_t cells = (row.count * kCells + largest / 2) / largest;
    for (int64_t i = 0; i < cells; ++i) bar += "█";
    if (cells == 0 && row.count > 0) bar = "▏";
    std::printf("  %*s  %*lld  %6s%s%s\n", static_cast<int>(label_width), row.label.c_str(),
                static_cast<int>(count_width), static_cast<long long>(row.count),
                percent(row.count, std::max<int64_t>(1, total)).c_str(), bar.empty() ? "" : "  ",
                bar.c_str());
  }
}

void print_table(const std::vector<TableColumn>& columns,
                 std::vector<std::vector<std::string>> lines) {
  for (auto& line : lines) {
    for (std::string& cell : line) cell = escape(cell, "");  // names come from files
  }
  constexpr size_t kGap = 2, kFirst = 26;  // the first column, unless it is narrower
  std::vector<size_t> widths;
  for (const TableColumn& column : columns) widths.push_back(count_characters(column.heading));
  for (const auto& line : lines) {
    for (size_t i = 0; line.size() > 1 && i < line.size(); ++i) {
      widths[i] = std::max(widths[i], count_characters(line[i]));
    }
  }
  size_t others = 0;
  for (size_t i = 1; i < widths.size(); ++i) others += kGap + widths[i];
  size_t shown = columns.size();
  while (others + std::min(widths[0], kFirst) > report_width() && columns[shown - 1].is_optional) {
    others -= kGap + widths[--shown];
  }
  const size_t room = report_width() - std::min(report_width(), others);
  widths[0] = std::min(widths[0], std::max(room, kFirst / 2));
  const auto print_line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t i = 0; i < std::min(cells.size(), shown); ++i) {
      const std::string cell = i == 0 ? shortened(cells[0], widths[0]) : cells[i];
      if (i > 0) text.append(kGap, ' ');
      if (!columns[i].is_text) text.append(widths[i] - count_characters(cell), ' ');
      text += columns[i].is_text ? padded(cell, widths[i]) : cell;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    std::printf("%s\n", text.c_str());
  };
  std::vector<std::string> headings;
  for (const TableColumn& column : columns) headings.push_back(column.heading);
  print_line(headings);
  for (const auto& line : lines) {
    if (line.size() == 1) {
      std::printf("%s\n", line[0].c_str());
    } else {
      print_line(line);
    }
  }
}

size_t report_width() {
  constexpr size_t kWidest = 100;
  return is_terminal(stdout) ? std::min(kWidest, terminal_width(stdout)) : kWidest;
}

std::optional<std::string_view> token_of(const Tokenizer* tokenizer, int32_t id) {
  if (!tokenizer || id >= tokenizer->vocab_size()) return std::nullopt;
  return tokenizer->token(id);
}

Json token_json(const Tokenizer* tokenizer, int64_t id) {
  const std::optional<std::string_view> token = token_of(tokenizer, static_cast<int32_t>(id));
  return token ? Json(valid_utf8(*token)) : Json();
}

std::string quoted_token(const Tokenizer* tokenizer, int32_t id) {
  constexpr size_t kWidth = 76;
  if (!tokenizer) return "";
  const std::optional<std::string_view> token = token_of(tokenizer, id);
  return token ? shortened(quote(*token), kWidth) : kNoToken;
}

Json tokens_json(const Tokenizer* tokenizer, const std::vector<int32_t>& ids) {
  Json::Array tokens;
  for (const int32_t id : ids) {
    tokens.push_back(Json::Object{{"id", id}, {"text", token_json(tokenizer, id)}});
  }
  return tokens;
}

void print_tokens(const std::string& heading, const Tokenizer* tokenizer,
                  const std::vector<int32_t>& ids, bool show_ids) {
  const size_t width = report_width();
  std::printf("\n%s\n", heading.c_str());
  if (tokenizer) {
    std::vector<std::string_view> tokens;
    for (const int32_t id : ids) tokens.push_back(token_of(tokenizer, id).value_or("?"));
    std::printf("%s", display_tokens(tokens, takes_colors(stdout), width).c_str());
    if (!show_ids) return;
    std::printf("\nids\n");
  }
  std::string line;
  for (const int32_t id : ids) {
    const std::string number = std::to_string(id);
    if (!line.empty() && line.size() + 1 + number.size() > width) {
      std::printf("%s\n", line.c_str());
      line.clear();
    }
    line += (line.empty() ? "" : " ") + number;
  }
  std::printf("%s\n", line.c_str());
}

}  // namespace cria
