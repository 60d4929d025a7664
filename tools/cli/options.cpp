#include "cli/options.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <sstream>

#include "base/checksum.h"
#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

// A name as it is typed: "--json", "-o".
std::string dashed(const std::string& name) {
  return (name.size() == 1 ? "-" : "--") + name;
}

}  // namespace

Options::Options(std::string command, std::string usage, std::string description,
                 std::vector<Option> options)
    : command_(std::move(command)),
      usage_(std::move(usage)),
      description_(std::move(description)),
      options_(std::move(options)) {
  options_.push_back({"threads", "N", "threads to use (default: all cores, or OMP_NUM_THREADS)"});
  options_.push_back({"no-verify", "", "read damaged files too: checksums are not compared"});
  options_.push_back({"help", "", "this text"});
}

bool Options::parse(const std::vector<std::string>& arguments) {
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
    std::string name = argument.substr(0, equals);
    if (name == "-h") name = "--help";
    std::vector<std::string> known;
    for (const Option& option : options_) known.push_back(dashed(option.name));
    const auto found = std::ranges::find(known, name);
    if (found == known.end()) fail("unknown option '" + name + "'", did_you_mean(name, known));
    const Option& option = options_[static_cast<size_t>(found - known.begin())];
    if (option.value.empty()) {
      if (equals != std::string::npos) fail(name + " takes no value", "");
      values_[option.name] = "";
    } else if (equals != std::string::npos) {
      values_[option.name] = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      values_[option.name] = arguments[++i];
    } else {
      fail(name + " needs a value", name + " " + option.value);
    }
    if (option.repeatable) repeated_[option.name].push_back(values_[option.name]);
  }
  if (has("help")) {
    print_help();
    return false;
  }
  verify_checksums(!has("no-verify"));
  if (has("threads")) {
    const int threads = static_cast<int>(integer("threads", 1, 1, 4096));
    if (threads > 1 && !has_openmp()) {
      std::fputs("cria: built without OpenMP, running on one core\n", stderr);
    }
    set_threads(threads);
  }
  return true;
}

void Options::require_positional(size_t least, size_t most) const {
  if (positional_.size() >= least && positional_.size() <= most) return;
  const std::string usage = "usage: cria " + command_ + " " + usage_;
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
  return found == values_.end() ? fallback : found->second;
}

std::vector<std::string> Options::texts(const std::string& name) const {
  const auto found = repeated_.find(name);
  return found == repeated_.end() ? std::vector<std::string>{} : found->second;
}

std::string Options::utf8(const std::string& name, const std::string& fallback) const {
  const std::string value = text(name, fallback);
  if (!first_invalid_utf8(value)) return value;
  throw UsageError("invalid UTF-8", {.where = "cria " + command_ + " --" + name,
                                     .expected = "text in UTF-8",
                                     .got = quote(value),
                                     .hint = "is the terminal's encoding UTF-8?"});
}

int64_t Options::integer(const std::string& name, int64_t fallback, int64_t least,
                         int64_t most) const {
  if (!has(name)) return fallback;
  int64_t number = 0;
  if (!parse_number(values_.at(name), number) || number < least || number > most) {
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
  if (!parse_number(values_.at(name), number) || !(number >= least && number <= most)) {
    reject(name, "a number from " + shortest_double(least) + " to " + shortest_double(most));
  }
  return number;
}

std::string Options::choice(const std::string& name,
                            const std::vector<std::string>& choices) const {
  const std::string value = text(name, choices.front());
  if (std::ranges::find(choices, value) == choices.end()) {
    std::string list;
    for (const std::string& each : choices) list += (list.empty() ? "" : " or ") + each;
    reject(name, list, did_you_mean(value, choices));
  }
  return value;
}

void Options::reject(const std::string& name, const std::string& expected,
                     const std::string& hint) const {
  throw UsageError("invalid value of " + dashed(name),
                   {.where = "cria " + command_,
                    .expected = expected,
                    .got = "'" + values_.at(name) + "'",
                    .hint = hint.empty() ? "see 'cria " + command_ + " --help'" : hint});
}

void Options::fail(const std::string& summary, const std::string& hint) const {
  throw UsageError(summary, {.where = "cria " + command_,
                             .hint = hint.empty() ? "see 'cria " + command_ + " --help'" : hint});
}

void Options::print_help() const {
  std::printf("usage: cria %s %s\n\n%s\n\noptions:\n", command_.c_str(), usage_.c_str(),
              description_.c_str());
  for (const Option& option : options_) {
    const std::string left = dashed(option.name) + (option.value.empty() ? "" : " " + option.value);
    std::printf("  %-24s %s\n", left.c_str(), option.help.c_str());
  }
}

}  // namespace cria
