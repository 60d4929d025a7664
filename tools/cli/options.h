// The command line of one subcommand.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/help.h"
#include "cria/base/error.h"

namespace cria {

class Options {
 public:
  // As Help has them; common_options() are added.
  Options(std::string command, std::string usage, std::string description,
          std::vector<Option> options);

  // False when --help was asked for (and printed; --help=STYLE: see print). UsageError for what
  // is not known, and for a value given twice to an option that is not repeatable. Options may
  // stand anywhere, as --name VALUE or --name=VALUE; what follows "--" is positional: at least
  // `least` and at most `most`, see below.
  bool parse(const std::vector<std::string>& arguments, size_t least = 0, size_t most = SIZE_MAX);

  const std::vector<std::string>& positional() const { return positional_; }
  // UsageError unless there are at least `least` and at most `most` of them.
  void require_positional(size_t least, size_t most) const;

  // Throws a UsageError about this command.
  [[noreturn]] void refuse(const std::string& summary, ErrorContext context = {}) const;

  bool has(const std::string& name) const { return values_.contains(name); }
  std::string text(const std::string& name, const std::string& fallback) const;
  // All values of a repeatable option, in order.
  std::vector<std::string> texts(const std::string& name) const;
  // The same, for text that a model reads: UsageError unless it is UTF-8.
  std::string utf8(const std::string& name, const std::string& fallback) const;
  std::vector<std::string> utf8_texts(const std::string& name) const;
  int64_t integer(const std::string& name, int64_t fallback, int64_t least, int64_t most) const;
  // Separated by commas; none when the option is not given.
  std::vector<int64_t> integers(const std::string& name, int64_t least, int64_t most) const;
  double real(const std::string& name, double fallback, double least, double most) const;
  // One of the choices; the first when the option is not given.
  std::string choice(const std::string& name, const std::vector<std::string>& choices) const;

 private:
  const Option& find(const std::string& name) const;
  [[noreturn]] void fail(const std::string& summary, const std::string& hint) const;
  [[noreturn]] void reject(const std::string& name, const std::string& expected,
                           const std::string& hint = {}) const;
  void require_utf8(const std::string& name, const std::string& value) const;

  Help help_;
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> positional_;
};

}  // namespace cria
