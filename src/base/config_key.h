// The keys of a configuration, each with the field it sets and what that takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/toml.h"

namespace cria {

// An optional number is one that may be "none".
using Field = std::variant<bool*, int64_t*, double*, std::string*, std::optional<int64_t>*,
                           std::optional<double>*, std::vector<std::string>*>;

// A word that stands for a particular number.
struct Word {
  std::string word;
  double number;
};

struct Key {
  std::string name;  // "table.key"
  Field field;
  const char* meaning;
  double least = 0, most = 0;             // numbers
  std::vector<std::string> choices = {};  // strings; empty: any
  std::vector<Word> words = {};           // numbers that have a name
  bool may_derive = false;                // 0 is taken too: the number is to be derived
};

template <class T>
constexpr bool kIsOptional =
    std::is_same_v<T, std::optional<int64_t>> || std::is_same_v<T, std::optional<double>>;

// A list of keys, to be derived from: the constructor adds one after the other.
struct KeyList {
  std::vector<Key> keys = {};

 protected:
  void flag(const std::string& name, bool* field, const char* meaning) {
    keys.push_back({.name = name, .field = field, .meaning = meaning});
  }
  void text(const std::string& name, std::string* field, const std::vector<std::string>& choices,
            const char* meaning) {
    keys.push_back({.name = name, .field = field, .meaning = meaning, .choices = choices});
  }
  void texts(const std::string& name, std::vector<std::string>* field, const char* meaning) {
    keys.push_back({.name = name, .field = field, .meaning = meaning});
  }
  void number(const std::string& name, Field field, double least, double most, const char* meaning,
              const std::vector<Word>& words = {}) {
    keys.push_back({name, field, meaning, least, most, {}, words});
  }
  void derivable(const std::string& name, Field field, double least, double most,
                 const char* meaning, const std::vector<Word>& words = {}) {
    number(name, field, least, most, meaning, words);
    keys.back().may_derive = true;
  }
};

inline constexpr double kMostTokens = 1 << 24;  // also of positions and of widths
inline constexpr double kHuge = 1e300;

// What a key's field holds.
TomlValue value_of(const Key& key);

// The value that a person types for a key in a shell. A key that takes a string takes the bare
// word, whatever it is made of, and one in TOML's quotes; for other keys a word needs no quotes
// either. Error as parse_toml_value, and for a word that is not UTF-8.
TomlValue typed_value(const Key& key, const std::string& text, const std::string& where);

// Assigns a value to a key's field; Error naming the key behind `where`, if there is one, unless it
// is of the right type and in range.
void assign(const Key& key, const TomlValue& value, const std::string& where);

}  // namespace cria
