#include "base/config_key.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"

namespace cria {
namespace {

template <class T>
constexpr bool kIsNumber = std::is_same_v<T, double> || std::is_same_v<T, int64_t>;

using Texts = std::vector<std::string>;

// The strings of an array; nothing when it is no array, or of something else too.
std::optional<Texts> texts_of(const TomlValue& value) {
  const auto* const items = std::get_if<std::vector<TomlValue>>(&value.value);
  if (!items) return std::nullopt;
  Texts texts;
  for (const TomlValue& item : *items) {
    const std::string* const text = std::get_if<std::string>(&item.value);
    if (!text) return std::nullopt;
    texts.push_back(*text);
  }
  return texts;
}

const std::vector<std::string> kFlags = {"true", "false"};

// What a key takes, for errors.
std::string expectation(const Key& key) {
  if (std::holds_alternative<bool*>(key.field)) return "true or false";
  if (std::holds_alternative<Texts*>(key.field)) return "an array of strings";
  if (std::holds_alternative<std::string*>(key.field)) {
    return key.choices.empty() ? "a string in quotes" : one_of(key.choices);
  }
  std::string words = std::visit(
      [](auto* field) {
        return kIsOptional<std::remove_pointer_t<decltype(field)>> ? ", or \"none\"" : "";
      },
      key.field);
  for (const Word& word : key.words) words += ", or \"" + word.word + "\"";
  if (key.may_derive) words += ", or 0";
  if (std::holds_alternative<int64_t*>(key.field) ||
      std::holds_alternative<std::optional<int64_t>*>(key.field)) {
    return "an integer, " + std::to_string(static_cast<int64_t>(key.least)) + " to " +
           std::to_string(static_cast<int64_t>(key.most)) + words;
  }
  return "a number, " + shortest_double(key.least) + " to " + shortest_double(key.most) + words;
}

// Also of what TOML cannot say.
std::string text_of(const TomlValue& value) {
  const double* const real = std::get_if<double>(&value.value);
  if (real && std::isnan(*real)) return "nan";
  if (real && std::isinf(*real)) return *real > 0 ? "inf" : "-inf";
  return dump_toml(value);
}

}  // namespace

TomlValue value_of(const Key& key) {
  return std::visit(
      [&](auto* field) {
        using T = std::remove_pointer_t<decltype(field)>;
        const auto value = [&]<class Held>(const Held& held) {
          if constexpr (kIsNumber<Held>) {
            for (const Word& word : key.words) {
              if (held == static_cast<Held>(word.number)) return TomlValue{word.word};
            }
          }
          return TomlValue{held};
        };
        if constexpr (std::is_same_v<T, Texts>) {
          std::vector<TomlValue> items;
          for (const std::string& text : *field) items.push_back(TomlValue{text});
          return TomlValue{std::move(items)};
        } else if constexpr (kIsOptional<T>) {
          return *field ? value(**field) : TomlValue{std::string("none")};
        } else {
          return value(*field);
        }
      },
      key.field);
}

TomlValue typed_value(const Key& key, const std::string& text, const std::string& where) {
  const size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  const char first = begin < text.size() ? text[begin] : '\0';
  const bool quoted = first == '"' || first == '\'';
  const bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
  const bool takes_text = std::holds_alternative<std::string*>(key.field);
  const bool is_flag = text == "true" || text == "false";
  const bool is_word = takes_text ? !quoted : letter && !is_flag;
  const bool is_named = std::ranges::find(key.words, text, &Word::word) != key.words.end();
  if (!is_word && !is_named) return parse_toml_value(text, where);
  if (const auto invalid = first_invalid_utf8(text)) {
    throw Error("invalid UTF-8", {.where = where, .got = quote_at(text, *invalid)});
  }
  return {text};
}

void assign(const Key& key, const TomlValue& value, const std::string& where) {
  const auto fail = [&](const std::string& summary, const std::string& hint = {}) {
    throw Error(summary,
                {.where = where.empty() ? key.name : where + ": " + key.name,
                 .expected = expectation(key),
                 .got = text_of(value),
                 .hint = hint.empty() ? std::string("meaning of the key: ") + key.meaning : hint});
  };
  const std::string* const text = std::get_if<std::string>(&value.value);
  const auto set = [&]<class T>(T* field) {
    const T* held = std::get_if<T>(&value.value);
    T converted{};
    if constexpr (std::is_same_v<T, double>) {
      // An integer is a fine real number.
      if (const int64_t* whole = std::get_if<int64_t>(&value.value)) {
        converted = static_cast<double>(*whole);
        held = &converted;
      }
    }
    if constexpr (kIsNumber<T>) {
      for (const Word& word : key.words) {
        if (text && *text == word.word) return void(*field = static_cast<T>(word.number));
      }
    }
    if (!held) {
      const bool is_flag = std::is_same_v<T, bool> && text;
      fail(std::string("wrong type: ") + value.kind_name(),
           is_flag ? did_you_mean(*text, kFlags) : "");
    }
    if constexpr (kIsNumber<T>) {
      const double number = static_cast<double>(*held);
      const bool is_derived = key.may_derive && number == 0;
      if (!is_derived && !(number >= key.least && number <= key.most)) fail("out of range");
    }
    if constexpr (std::is_same_v<T, std::string>) {
      const bool known = std::ranges::find(key.choices, *held) != key.choices.end();
      if (!key.choices.empty() && !known) {
        fail("not one of the choices", did_you_mean(*held, key.choices));
      }
    }
    *field = *held;
  };
  std::visit(
      [&](auto* field) {
        using T = std::remove_pointer_t<decltype(field)>;
        if constexpr (std::is_same_v<T, Texts>) {
          const std::optional<Texts> texts = texts_of(value);
          if (!texts) fail(std::string("wrong type: ") + value.kind_name());
          *field = *texts;
        } else if constexpr (kIsOptional<T>) {
          field->reset();
          if (!text || *text != "none") set(&field->emplace());
        } else {
          set(field);
        }
      },
      key.field);
}

}  // namespace cria
