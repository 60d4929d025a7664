// The keys of a config file, each with the field it sets and what that takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/toml.h"
#include "cria/train/run_config.h"

namespace cria {

// An optional number is one that may be "none".
using Field = std::variant<bool*, int64_t*, double*, std::string*, std::optional<int64_t>*,
                           std::optional<double>*>;

// A word that stands for a particular number.
struct Word {
  std::string word;
  double number;
};

struct Key {
  std::string name;  // "table.key"
  Field field;
  double least, most;                // numbers
  std::vector<std::string> choices;  // strings; empty: any
  std::vector<Word> words;           // numbers that have a name
  const char* meaning;
};

template <class T>
constexpr bool kIsOptional =
    std::is_same_v<T, std::optional<int64_t>> || std::is_same_v<T, std::optional<double>>;

inline const std::string kSources = "data.sources.";

// The one list of keys. Everything that reads, writes or explains a config walks it.
std::vector<Key> keys_of(RunConfig& config);

// What a key's field holds.
TomlValue value_of(const Key& key);

// Assigns a TOML value to a key's field; Error unless it is of the right type and in range.
void assign(const Key& key, const TomlValue& value, const std::string& where);

}  // namespace cria
