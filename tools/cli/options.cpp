#include "cli/options.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <sstream>

#include "base/checksum.h"
#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/file.h"
#include "cria/base/parallel.h"
#include "train/key_hints.h"

namespace cria {
Options::Options(std::string command, std::string usage, std::string description,
                 std::vector<Option> options)
    : help_{std::move(command), std::move(usage), std::move(description), std::move(options)} {}

bool Options::parse(const std::vector<std::string>& arguments, size_t least, size_t most) {
  bool only_positional = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (only_positional || argument.size() < 2 || argument[0] != '-') {
      positional_.push_back(argument);
      continue;
    }
    if (argument == "--") {
      only_positional = true;
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument == "-h" ? "--help" : argument.substr(0, equals);
    const bool has_value = equals != std::string::npos;
    const std::string value = has_value ? argument.substr(equals + 1) : "";
    if (name == "--help" && print(help_, has_value ? value : "text")) return false;
    const Option& option = find(name);
    if (option.value.empty()) {
      if (has_value) fail(name + " takes no value", "");
    } else if (!has_value && i + 1 == arguments.size()) {
      fail(name + " needs a value", name + " " + option.value);
    } else if (!option.repeatable && has(option.name)) {
      fail(name + " is given twice", "leave out one of the two");
    }
    values_[option.name].push_back(has_value || option.value.empty() ? value : arguments[++i]);
  }
  verify_checksums(!has("no-verify"));
  if (has("threads")) {
    const int threads = static_cast<int>(integer("threads", 1, 1, 4096));
    if (threads > 1 && !has_openmp()) {
      std::fputs("cria: built without OpenMP, running on one core\n", stderr);
    }
    set_threads(threads);
  }
  require_positional(least, most);
  return true;
}

const Option& Options::find(const std::string& name) const {
  std::vector<std::string> names;
  for (const std::vector<Option>* options : {&help_.options, &common_options()}) {
    for (const Option& option : *options) {
      names.push_back(dashed(option.name));
      if (names.back() == name) return option;
    }
  }
  std::string hint = did_you_mean(name, names);
  const bool takes_keys = help_.usage.find("table.key=value") != std::string::npos;
  const size_t begin = std::min(name.find_first_not_of('-'), name.size());
  const std::string key = takes_keys ? nearest_key(name.substr(begin)) : "";
  if (hint.empty() && !key.empty()) hint = "keys of a config have no dashes: " + key + "=VALUE";
  fail("unknown option '" + name + "'", hint);
}

void Options::require_positional(size_t least, size_t most) const {
  if (positional_.size() >= least && positional_.size() <= most) return;
  const std::string usage = "usage: cria " + help_.command + " " + help_.usage;
  if (positional_.size() < least) fail("too few arguments", usage);
  // What a shell makes of a glob without quotes.
  const std::string& extra = positional_[most];
  const std::string kind = std::filesystem::path(extra).extension().string();
  const bool is_shard = kind == ".bin" && exists(extra);
  fail("unexpected argument '" + extra + "'",
       is_shard ? "a glob of shards is given in quotes: '*" + kind + "'" : usage);
}

std::string Options::text(const std::string& name, const std::string& fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? fallback : found->second.back();
}

std::vector<std::string> Options::texts(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

std::string Options::utf8(const std::string& name, const std::string& fallback) const {
  const std::string value = text(name, fallback);
  require_utf8(name, value);
  return value;
}

std::vector<std::string> Options::utf8_texts(const std::string& name) const {
  const std::vector<std::string> values = texts(name);
  for (const std::string& value : values) require_utf8(name, value);
  return values;
}

void Options::require_utf8(const std::string& name, const std::string& value) const {
  if (!first_invalid_utf8(value)) return;
  throw UsageError("invalid UTF-8", {.where = "cria " + help_.command + " --" + name,
                                     .expected = "text in UTF-8",
                                     .got = quote(value),
                                     .hint = "is the terminal's encoding UTF-8?"});
}

int64_t Options::integer(const std::string& name, int64_t fallback, int64_t least,
                         int64_t most) const {
  if (!has(name)) return fallback;
  int64_t number = 0;
  if (!parse_number(values_.at(name).back(), number) || number < least || number > most) {
    const std::string range = most == std::numeric_limits<int64_t>::max()
                                  ? "of at least " + std::to_string(least)
                                  : std::to_string(least) + " to " + std::to_string(most);
    reject(name, "an integer " + range);
  }
  return number;
}

std::vector<int64_t> Options::integers(const std::string& name, int64_t least, int64_t most) const {
  std::vector<int64_t> numbers;
  bool all_fit = true;
  std::istringstream list(text(name, ""));
  for (std::string part; std::getline(list, part, ',');) {
    int64_t number = 0;
    all_fit = all_fit && parse_number(part, number) && number >= least && number <= most;
    numbers.push_back(number);
  }
  if (has(name) && (numbers.empty() || !all_fit)) {
    reject(name, "integers " + std::to_string(least) + " to " + std::to_string(most) +
                     ", separated by commas");
  }
  return numbers;
}

double Options::real(const std::string& name, double fallback, double least, double most) const {
  if (!has(name)) return fallback;
  double number = 0;
  if (!parse_number(values_.at(name).back(), number) || !(number >= least && number <= most)) {
    reject(name, "a number from " + shortest_double(least) + " to " + shortest_double(most));
  }
  return number;
}

std::string Options::choice(const std::string& name,
                            const std::vector<std::string>& choices) const {
  const std::string value = text(name, choices.front());
  if (std::ranges::find(choices, value) == choices.end()) {
    reject(name, joined(choices, " or "), did_you_mean(value, choices));
  }
  return value;
}

void Options::reject(const std::string& name, const std::string& expected,
                     const std::string& hint) const {
  refuse("invalid value of " + dashed(name),
         {.expected = expected,
          .got = "'" + values_.at(name).back() + "'",
          .hint = hint.empty() ? "see 'cria " + help_.command + " --help'" : hint});
}

void Options::refuse(const std::string& summary, ErrorContext context) const {
  context.where = "cria " + help_.command;
  throw UsageError(summary, context);
}

void Options::fail(const std::string& summary, const std::string& hint) const {
  refuse(summary, {.hint = hint.empty() ? "see 'cria " + help_.command + " --help'" : hint});
}

}  // namespace cria
