#include "prepare/demo_corpus.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/base/rng.h"
#include "prepare/demo_corpus_grammar.h"

// The notation of the rules. A rule with fields is a list of words, each with its fields after
// slashes; a word that is remembered is not picked. Any other rule is a list of texts, with
//   [a | b | c]    one of the three, equally likely; blanks around an alternative do not count
//   <rule>         an alternative of that rule; of a list, the first field of one of its words
//   <list.field>   another field of the word picked
//   <x:list>       the same, and the word is remembered as x; <x:list.field> likewise
//   {x} {x.field}  the first or the named field of the word x; {X} begins with a capital
//   <@x.field>     the rule that x's field names; <y:@x.field> and <y:@x.field.field> likewise
// Any run of blanks is one blank, and none stands before a punctuation mark.
//
// The grammar must be unambiguous, or the bits of a derivation would not be those of its text: two
// alternatives must lead to different stories whatever follows. The tests parse stories to see it.
namespace cria {
namespace {

struct Piece;
using Sequence = std::vector<Piece>;

struct Piece {
  char kind;  // 't' text, '[' alternatives, '<' a rule, '{' a word remembered
  std::string_view text = {};
  std::vector<Sequence> alternatives = {};
};

using Fields = std::vector<std::string_view>;

struct Rule {
  Fields field_names;                  // empty unless this is a list of words
  std::vector<Fields> words;           // of a list
  std::vector<Sequence> alternatives;  // of any other rule
};

using Grammar = std::map<std::string_view, Rule>;

constexpr std::string_view kBlanks = " \n";

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

Fields split(std::string_view text, char separator) {
  Fields parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(trim(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Parses the alternatives at the start of `rest`, and takes them and their ']' off it.
std::vector<Sequence> parse_alternatives(std::string_view& rest) {
  std::vector<Sequence> alternatives(1);
  for (;;) {
    const size_t end = std::min(rest.find_first_of("[|]<{"), rest.size());
    const char mark = end < rest.size() ? rest[end] : ']';
    std::string_view text = rest.substr(0, end);
    Sequence& sequence = alternatives.back();
    const bool last = mark == '|' || mark == ']';
    if (sequence.empty()) text.remove_prefix(std::min(text.find_first_not_of(kBlanks), end));
    if (last) text = text.substr(0, text.find_last_not_of(kBlanks) + 1);
    if (!text.empty()) sequence.push_back({.kind = 't', .text = text});
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (mark == ']') return alternatives;
    if (mark == '|') {
      alternatives.emplace_back();
    } else if (mark == '[') {
      sequence.push_back({.kind = '[', .alternatives = parse_alternatives(rest)});
    } else {
      const size_t close = rest.find(mark == '<' ? '>' : '}');
      sequence.push_back({.kind = mark, .text = rest.substr(0, close)});
      rest.remove_prefix(close + 1);
    }
  }
}

void add_rule(const DemoRule& source, Grammar& grammar) {
  Rule& rule = grammar[source.name];
  std::string_view body = source.body;
  if (source.fields.empty()) {
    rule.alternatives = parse_alternatives(body);
    return;
  }
  rule.field_names = split(source.fields, ' ');
  for (const std::string_view word : split(body, '|')) rule.words.push_back(split(word, '/'));
}

const Grammar& demo_grammar() {
  static const Grammar grammar = [] {
    Grammar rules;
    for (const DemoRule& rule : kDemoRules) add_rule(rule, rules);
    return rules;
  }();
  return grammar;
}

[[noreturn]] void fail(const std::string& summary, std::string_view name) {
  throw Error(summary, {.where = "demo corpus grammar", .got = std::string(name)});
}

// One story in the making.
class Storyteller {
 public:
  explicit Storyteller(const DemoChooser& choose) : choose_(choose) {}

  std::string tell() {
    expand_rule("story");
    return std::move(text_) + "\n\n";
  }

 private:
  struct Word {
    const Rule* list;
    const Fields* fields;
  };

  void write(std::string_view piece) {
    for (const char letter : piece) {
      if (kBlanks.find(letter) != std::string_view::npos) {
        blank_ = !text_.empty();
        continue;
      }
      if (blank_ && std::string_view(".,!?").find(letter) == std::string_view::npos) text_ += ' ';
      blank_ = false;
      text_ += letter;
    }
  }

  const Rule& rule(std::string_view name) const {
    const auto found = demo_grammar().find(name);
    if (found == demo_grammar().end()) fail("no such rule", name);
    return found->second;
  }

  const Word& remembered(std::string_view name) const {
    const auto found = memory_.find(name);
    if (found == memory_.end()) fail("no word is remembered by this name", name);
    return found->second;
  }

  // The field `name` of a word; the first when `name` is empty.
  std::string_view field(const Word& word, std::string_view name) const {
    if (name.empty()) return word.fields->front();
    const Fields& names = word.list->field_names;
    const size_t index = std::find(names.begin(), names.end(), name) - names.begin();
    if (index >= word.fields->size()) fail("no such field", name);
    return (*word.fields)[index];
  }

  bool may_pick(const Fields& word) const {
    return std::none_of(memory_.begin(), memory_.end(),
                        [&](const auto& known) { return known.second.fields == &word; });
  }

  Word pick_word(const Rule& list) {
    std::vector<const Fields*> candidates;
    for (const Fields& word : list.words) {
      if (may_pick(word)) candidates.push_back(&word);
    }
    return {&list, candidates.at(choose_(candidates.size(), text_))};
  }

  void expand(const std::vector<Sequence>& alternatives) {
    for (const Piece& piece : alternatives.at(choose_(alternatives.size(), text_))) {
      if (piece.kind == 't') write(piece.text);
      if (piece.kind == '[') expand(piece.alternatives);
      if (piece.kind == '<') expand_rule(piece.text);
      if (piece.kind == '{') recall(piece.text);
    }
  }

  void expand_rule(std::string_view reference) {
    std::string_view variable;
    if (const size_t colon = reference.find(':'); colon != std::string_view::npos) {
      variable = reference.substr(0, colon);
      reference.remove_prefix(colon + 1);
    }
    Fields parts = split(reference, '.');
    if (parts[0].starts_with('@')) {
      parts[1] = field(remembered(parts[0].substr(1)), parts.at(1));
      parts.erase(parts.begin());
    }
    const Rule& target = rule(parts[0]);
    if (target.words.empty()) return expand(target.alternatives);
    const Word word = pick_word(target);
    if (!variable.empty()) memory_[variable] = word;
    write(field(word, parts.size() > 1 ? parts[1] : ""));
  }

  void recall(std::string_view reference) {
    const Fields parts = split(reference, '.');
    std::string name(parts[0]);
    const bool capital = std::isupper(static_cast<unsigned char>(name[0]));
    name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
    std::string value(field(remembered(name), parts.size() > 1 ? parts[1] : ""));
    if (capital) value[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(value[0])));
    write(value);
  }

  const DemoChooser& choose_;
  std::string text_;
  bool blank_ = false;  // a blank is due before the next letter
  std::map<std::string_view, Word> memory_;
};

}  // namespace

std::string derive_demo_story(const DemoChooser& choose) {
  return Storyteller(choose).tell();
}

DemoStory demo_story(uint64_t seed, uint64_t index) {
  Rng rng(seed, "demo_corpus/" + std::to_string(index));
  double bits = 0;
  const DemoChooser sample = [&](size_t count, std::string_view) {
    bits += std::log2(static_cast<double>(count));
    return static_cast<size_t>(rng.below(count));
  };
  std::string text = derive_demo_story(sample);
  return {std::move(text), bits};
}

DemoCorpus write_demo_corpus(uint64_t seed, uint64_t first_story, uint64_t min_bytes,
                             const std::function<void(std::string_view)>& sink) {
  DemoCorpus corpus{};
  while (corpus.bytes < min_bytes) {
    const DemoStory story = demo_story(seed, first_story + corpus.stories);
    sink(story.text);
    ++corpus.stories;
    corpus.bytes += story.text.size();
    corpus.bits += story.bits;
  }
  return corpus;
}

std::optional<double> floor_bits_per_byte(const std::string& directory) {
  const std::string path = join_path(directory, kCorpusJson);
  if (!exists(path)) return {};
  return read_json(path).at("val_bits_per_byte", path).as_double(path + ": val_bits_per_byte");
}

}  // namespace cria
