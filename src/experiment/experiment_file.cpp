#include "experiment/experiment_file.h"

#include <algorithm>
#include <array>

#include "cria/base/error.h"
#include "cria/base/file.h"

namespace cria {
namespace {

constexpr size_t kMostSeeds = 10000, kMostVariants = 1000, kMostRuns = 10000;
const std::string kVariants = "variants.";

class ExperimentReader {
 public:
  explicit ExperimentReader(const std::string& path) {
    experiment_.path = path;
    std::vector<TomlEntry> tables;
    const std::vector<TomlEntry> entries = parse_toml(read_file(path), path, &tables);
    // A variant may have no key, and is then the base.
    for (const TomlEntry& table : tables) {
      if (table.key.starts_with(kVariants)) variant(table);
    }
    for (const TomlEntry& entry : entries) read(entry);
  }

  Experiment finish() {
    const std::string& path = experiment_.path;
    if (experiment_.base.empty()) {
      fail(path, "base is missing", "the config that all variants begin with",
           "base = \"configs/shakespeare_char.toml\"");
    }
    if (experiment_.seeds.empty()) {
      fail(path, "seeds are missing", "one or more integers", "seeds = [1, 2, 3, 4, 5]");
    }
    if (experiment_.variants.empty()) {
      fail(path, "no variants", "tables [variants.NAME]",
           "the first one is what others are compared with");
    }
    if (experiment_.sweep_seeds > static_cast<int64_t>(experiment_.seeds.size())) {
      fail(path, "sweep_seeds is more than there are seeds",
           "at most " + std::to_string(experiment_.seeds.size()), "");
    }
    size_t runs = experiment_.variants.size() * experiment_.seeds.size();
    for (const SweptKey& swept : experiment_.sweep) {
      runs = std::min(runs, kMostRuns + 1) * swept.values.size();
    }
    require_at_most(kMostRuns, runs, "runs", path);
    for (Variant& each : experiment_.variants) {
      const auto own = std::ranges::find(matches_, each.name, &Match::variant);
      const auto of_all = std::ranges::find(matches_, "", &Match::variant);
      const auto match = own != matches_.end() ? own : of_all;
      each.match_parameters = match != matches_.end() && match->parameters;
      for (const Setting& setting : each.settings) check_own_key(each, setting);
    }
    experiment_.variants.front().match_parameters = false;  // it is what others are matched with
    std::vector<Setting> common = read_settings(experiment_.base);
    common.insert(common.end(), experiment_.common.begin(), experiment_.common.end());
    experiment_.common = std::move(common);
    return std::move(experiment_);
  }

 private:
  struct Match {
    std::string variant;  // "": of all
    bool parameters;
  };

  [[noreturn]] static void fail(const std::string& where, const std::string& summary,
                                const std::string& expected, const std::string& hint) {
    throw Error(summary, {.where = where, .expected = expected, .hint = hint});
  }

  // What comes of a small file shall not be endless.
  static void require_at_most(size_t most, size_t count, const std::string& what,
                              const std::string& where) {
    if (count > most) fail(where, "too many " + what, "at most " + std::to_string(most), "");
  }

  std::string place(const TomlEntry& entry) const {
    return experiment_.path + ":" + std::to_string(entry.line) + ":" + std::to_string(entry.column);
  }

  // The variant that a key or table "variants.NAME..." belongs to.
  Variant& variant(const TomlEntry& entry) {
    const std::string name = entry.key.substr(
        kVariants.size(), entry.key.find('.', kVariants.size()) - kVariants.size());
    constexpr const char* kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (name.empty() || name.find_first_not_of(kPlain) != name.npos) {
      throw Error("a variant's name becomes a directory's",
                  {.where = place(entry),
                   .expected = "letters, digits, '_' and '-'",
                   .got = "'" + name + "'"});
    }
    const auto found = std::ranges::find(experiment_.variants, name, &Variant::name);
    if (found != experiment_.variants.end()) return *found;
    require_at_most(kMostVariants, experiment_.variants.size() + 1, "variants", place(entry));
    return experiment_.variants.emplace_back(Variant{name, false, {}});
  }

  void read(const TomlEntry& entry) {
    const std::string where = place(entry);
    const size_t dot = entry.key.find('.');
    const std::string table = entry.key.substr(0, dot);
    const std::string rest = dot == entry.key.npos ? "" : entry.key.substr(dot + 1);
    if (table == "variants" && rest.find('.') != rest.npos) {
      Variant& owner = variant(entry);
      const std::string key = rest.substr(owner.name.size() + 1);
      if (key == "match") return read_match(owner.name, entry);
      owner.settings.push_back({key, entry.value, where});
    } else if (table == "common" && !rest.empty()) {
      check_free(rest, where);
      experiment_.common.push_back({rest, entry.value, where});
    } else if (table == "sweep" && !rest.empty()) {
      read_sweep(rest, entry.value, where);
    } else if (entry.key == "seeds") {
      read_seeds(entry.value, where);
    } else if (entry.key == "match") {
      read_match("", entry);
    } else {
      read_root(entry, where);
    }
  }

  void read_root(const TomlEntry& entry, const std::string& where) {
    Key base{.name = "base", .field = &experiment_.base, .meaning = ""};
    Key sweep_seeds{"sweep_seeds", &experiment_.sweep_seeds, "", 1,
                    static_cast<double>(kMostSeeds)};
    if (entry.key == base.name) return assign(base, entry.value, where);
    if (entry.key == sweep_seeds.name) return assign(sweep_seeds, entry.value, where);
    const std::array<std::string, 7> names = {"base",   "seeds",    "sweep_seeds", "match",
                                              "common", "variants", "sweep"};
    const std::string guess = did_you_mean(entry.key, names);
    throw Error(
        "unknown key '" + entry.key + "'",
        {.where = where,
         .expected = "base, seeds, sweep_seeds, match, or a key below [common], "
                     "[variants.NAME] or [sweep]",
         .hint = guess.empty() ? "keys of a run stand below [common] or a variant" : guess});
  }

  void read_match(const std::string& variant, const TomlEntry& entry) {
    std::string text;
    assign({.name = "match", .field = &text, .meaning = "", .choices = {"width", "parameters"}},
           entry.value, place(entry));
    matches_.push_back({variant, text == "parameters"});
  }

  void read_seeds(const TomlValue& value, const std::string& where) {
    const auto* const list = std::get_if<std::vector<TomlValue>>(&value.value);
    if (!list) fail(where, "seeds are a list", "integers: [1, 2, 3]", "");
    require_at_most(kMostSeeds, list->size(), "seeds", where);
    for (const TomlValue& item : *list) {
      int64_t seed = 0;
      assign({"seeds", &seed, "", 0, 9e15}, item, where);
      if (std::ranges::find(experiment_.seeds, seed) != experiment_.seeds.end()) {
        fail(where, "seed " + std::to_string(seed) + " is given twice", "different seeds",
             "runs of the same seed are the same run");
      }
      experiment_.seeds.push_back(seed);
    }
  }

  void read_sweep(const std::string& key, const TomlValue& value, const std::string& where) {
    check_free(key, where);
    const auto* const list = std::get_if<std::vector<TomlValue>>(&value.value);
    if (!list || list->empty()) fail(where, "a sweep is a list of values", "[1e-3, 2e-3]", "");
    SweptKey& sweep = experiment_.sweep.emplace_back(SweptKey{key, {}});
    for (const TomlValue& item : *list) sweep.values.push_back({key, item, where});
  }

  // What tells the runs apart is not for a variant to say.
  static void check_free(const std::string& key, const std::string& where) {
    if (key != "train.seed" && key != "train.output_dir") return;
    fail(where, key + " is the experiment's to choose", "other keys",
         key == "train.seed" ? "list the seeds as seeds = [...]" : "'--out' chooses the directory");
  }

  void check_own_key(const Variant& variant, const Setting& setting) const {
    check_free(setting.key, setting.where);
    const auto swept = std::ranges::find(experiment_.sweep, setting.key, &SweptKey::key);
    if (swept != experiment_.sweep.end()) {
      fail(setting.where,
           setting.key + " is swept over, and variant '" + variant.name + "' sets it",
           "one of the two", "the sweep is at " + swept->values.front().where);
    }
    if (variant.match_parameters &&
        (setting.key == "model.hidden_size" || setting.key == "model.intermediate_size")) {
      fail(setting.where, setting.key + " is what match = \"parameters\" chooses", "other keys",
           "remove the key, or give the variant match = \"width\"");
    }
  }

  Experiment experiment_;
  std::vector<Match> matches_;
};

}  // namespace

Experiment read_experiment(const std::string& path) {
  return ExperimentReader(path).finish();
}

}  // namespace cria
