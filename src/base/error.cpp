#include "cria/base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/unicode.h"

namespace cria {
namespace {

std::string compose(const std::string& summary, const ErrorContext& context) {
  std::string text = context.where.empty() ? summary : context.where + ": " + summary;
  if (!context.expected.empty()) text += "\n  expected: " + context.expected;
  if (!context.got.empty()) text += "\n  got: " + context.got;
  if (!context.hint.empty()) text += "\n  hint: " + context.hint;
  // Parts may come from files.
  return escape(text, "", "\n\t");
}

// Levenshtein distance, one row at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

Error::Error(const std::string& summary, const ErrorContext& context)
    : std::runtime_error(compose(summary, context)) {}

void throw_system_error(const std::string& summary, const std::string& where,
                        const std::string& hint, const std::string& expected) {
  throw Error(summary,
              {.where = where, .expected = expected, .got = std::strerror(errno), .hint = hint});
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  constexpr size_t kLongest = 256;  // nobody mistypes more, and the cost is the square
  if (name.size() > kLongest) return "";
  const std::string* nearest = nullptr;
  // A third of the name may be wrong; beyond that a guess confuses more than it helps.
  size_t best = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() >= name.size() + best) continue;
    const size_t distance = edit_distance(name, candidate);
    if (distance < best) {
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest ? "did you mean " + quote(*nearest) + "?" : "";
}

std::string one_of(std::span<const std::string> choices) {
  std::string text = "one of ";
  for (const std::string& choice : choices) {
    text += (&choice == choices.data() ? "\"" : ", \"") + choice + "\"";
  }
  return text;
}

}  // namespace cria
