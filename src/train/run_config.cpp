#include "cria/train/run_config.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/first_error.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/data/dataset.h"
#include "cria/exchange/load_model.h"
#include "data/dataset_json.h"
#include "train/init_from.h"
#include "train/key_hints.h"
#include "train/run_config_keys.h"

namespace cria {
namespace {

// The keys of all tables are looked through for each key of a config.
constexpr size_t kMostTables = 256;

// [prefix NAME]: the first key of such a table makes it.
template <class Table>
void add_table(std::vector<Table>& tables, const std::string& prefix, const std::string& key,
               const std::string& where) {
  if (!key.starts_with(prefix)) return;
  const size_t begin = prefix.size(), dot = key.find('.', begin);
  if (dot == std::string::npos) return;
  const std::string name = key.substr(begin, dot - begin);
  if (std::ranges::find(tables, name, &Table::name) != tables.end()) return;
  if (tables.size() == kMostTables) {
    throw Error("too many tables [" + prefix + "NAME]",
                {.where = where, .expected = "at most " + std::to_string(kMostTables)});
  }
  tables.emplace_back().name = name;
}

// The key of that name, whose table is made if it is one of those with names of their own.
std::optional<Key> find_key(RunConfig& config, const std::string& name, const std::string& where) {
  add_table(config.data.sources, kSources, name, where);
  add_table(config.optimizer.groups, kGroups, name, where);
  for (const Key& key : keys_of(config)) {
    if (name == key.name) return key;
  }
  return std::nullopt;
}

void set_key(RunConfig& config, const std::string& name, const TomlValue& value,
             const std::string& where) {
  if (const std::optional<Key> key = find_key(config, name, where)) {
    return assign(*key, value, where);
  }
  std::string hint = key_hint(name, config);
  const bool is_named_table = std::ranges::count(name, '.') < 3;
  if (is_named_table && name.starts_with("data.sources")) {
    hint = "a source is a table of its own, [data.sources.NAME], with train and weight";
  }
  if (is_named_table && name.starts_with("optimizer.groups")) {
    hint = "a group is a table of its own, [optimizer.groups.NAME], with pattern and factors";
  }
  if (hint.empty()) hint = "a key stands below its [table], or is written table.key";
  throw Error("unknown key '" + name + "'", {.where = where,
                                             .expected = "a key that 'cria train --help' lists",
                                             .got = "'" + name + "'",
                                             .hint = hint});
}

// TOML takes only letters, digits, '_' and '-' without quotes. No part of a key holds a dot.
std::string quoted_key(const std::string& key) {
  constexpr const char* kBare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  std::string quoted;
  for (size_t begin = 0, end; begin <= key.size(); begin = end + 1) {
    end = std::min(key.find('.', begin), key.size());
    const std::string part = key.substr(begin, end - begin);
    const bool bare = !part.empty() && part.find_first_not_of(kBare) == std::string::npos;
    quoted += (begin > 0 ? "." : "") + (bare ? part : dump_toml({part}));
  }
  return quoted;
}

// The key of an override, with quotes where TOML wants them.
std::string override_key(const std::string& text, const std::string& where) {
  const std::vector<TomlEntry> entries = parse_toml(text + " = 0", where);
  if (entries.size() != 1) {
    throw UsageError("not an override", {.where = where, .expected = "table.key=value"});
  }
  return entries.front().key;
}

// What it means depends on what the key takes.
TomlValue override_value(const std::string& name, const std::string& text,
                         const std::string& where) {
  RunConfig config;
  const std::optional<Key> key = find_key(config, name, where);
  return key ? typed_value(*key, text, where) : TomlValue{text};
}

// The config must say what to train on, and only once.
void require_training_data(const DataConfig& data, const std::string& path) {
  if (!data.train.empty() && !data.sources.empty()) {
    throw Error(
        "data.train and data.sources." + data.sources.front().name + " both say what to train on",
        {.where = path,
         .expected = "one of them",
         .got = "data.train = " + dump_toml({data.train}),
         .hint = "make data.train a source too: [data.sources.NAME]"});
  }
  for (const SourceConfig& source : data.training_sources()) {
    if (!source.train.empty()) continue;
    const std::string key = data.sources.empty() ? "data.train" : kSources + source.name + ".train";
    throw Error(key + " is missing", {.where = path,
                                      .expected = "the token shards to train on",
                                      .hint = "'cria prepare' makes them from text"});
  }
}

void require_patterns(const std::vector<ParameterGroup>& groups, const std::string& path) {
  for (const ParameterGroup& group : groups) {
    if (!group.pattern.empty()) continue;
    throw Error(kGroups + group.name + ".pattern is missing",
                {.where = path,
                 .expected = "a pattern of parameter names, such as \"model.embed_tokens.*\""});
  }
}

std::string default_output_dir(const std::string& path) {
  return "runs/" + std::filesystem::path(path).stem().string();
}

void set_keys(RunConfig& config, std::span<const Setting> settings) {
  for (const Setting& setting : settings) {
    set_key(config, setting.key, setting.value, setting.where);
  }
  require_training_data(config.data, config.source);
  require_patterns(config.optimizer.groups, config.source);
  if (config.train.output_dir.empty()) {
    config.train.output_dir = default_output_dir(config.source);
  }
}

// The last setting of a key; null when there is none.
const Setting* find_setting(std::span<const Setting> settings, const std::string& key) {
  const auto last = std::find_if(settings.rbegin(), settings.rend(),
                                 [&](const Setting& each) { return each.key == key; });
  return last == settings.rend() ? nullptr : &*last;
}

std::string output_dir_of(std::span<const Setting> settings, const std::string& path) {
  const Setting* const setting = find_setting(settings, "train.output_dir");
  const std::string* const text =
      setting ? std::get_if<std::string>(&setting->value.value) : nullptr;
  return text && !text->empty() ? *text : default_output_dir(path);
}

// The run's own, what is new in the file, the overrides.
std::vector<Setting> resumed_settings(const std::string& run, std::vector<Setting> file,
                                      std::span<const Setting> overrides) {
  const std::string own = join_path(run, kRunConfig), before = join_path(run, kGivenConfig);
  std::vector<Setting> settings;
  if (!list_checkpoints(run).empty() && exists(own)) {
    // A config.toml that cannot be read is told of where it is compared.
    if (!message_of_error([&] { settings = read_settings(own); }) && exists(before)) {
      settings.push_back({"train.output_dir", {run}, own});  // it may have been moved
      std::vector<Setting> then;
      message_of_error([&] { then = read_settings(before); });
      std::erase_if(file, [&](const Setting& setting) {
        const Setting* const old = find_setting(then, setting.key);
        return old && old->value == setting.value;
      });
    }
  }
  std::vector<Setting> changes = std::move(file);
  changes.insert(changes.end(), overrides.begin(), overrides.end());
  // The end of wsd is the end of the run.
  const auto is_wsd = [](const Setting* name) {
    return name && name->value == TomlValue{std::string("wsd")};
  };
  const Setting* const steps = find_setting(settings, "train.steps");
  const Setting* const end = find_setting(settings, "schedule.decay_steps");
  const Setting* const name = find_setting(changes, "schedule.name");
  const bool follows = steps && end && steps->value == end->value &&
                       is_wsd(name ? name : find_setting(settings, "schedule.name"));
  if (follows) settings.push_back({"schedule.decay_steps", {int64_t{0}}, own});
  settings.insert(settings.end(), changes.begin(), changes.end());
  return settings;
}

// Calls line(table, key, value as TOML, meaning) for every key.
template <class Line>
void list_keys(RunConfig config, Line&& line) {
  for (const Key& key : keys_of(config)) {
    const std::string name = quoted_key(key.name);
    const size_t dot = name.find('.');
    line(name.substr(0, dot), name.substr(dot + 1), dump_toml(value_of(key)), key.meaning);
  }
}

}  // namespace

std::vector<SourceConfig> DataConfig::training_sources() const {
  if (!sources.empty()) return sources;
  return {{.name = "", .train = train}};
}

std::vector<Setting> read_settings(const std::string& path) {
  std::vector<Setting> settings;
  for (const TomlEntry& entry : parse_toml(read_file(path), path)) {
    settings.push_back(
        {entry.key, entry.value,
         path + ":" + std::to_string(entry.line) + ":" + std::to_string(entry.column)});
  }
  return settings;
}

RunConfig read_run_config(const std::string& path, std::span<const std::string> overrides,
                          bool resume) {
  std::vector<Setting> settings = read_settings(path), given;
  for (const std::string& text : overrides) {
    const size_t equals = text.find('=');
    const std::string where = "override '" + text + "'";
    if (equals == std::string::npos) {
      throw UsageError("not an override", {.where = where, .expected = "table.key=value"});
    }
    const std::string key = override_key(text.substr(0, equals), where);
    given.push_back({key, override_value(key, text.substr(equals + 1), where), where});
  }
  std::vector<Setting> all = settings;
  all.insert(all.end(), given.begin(), given.end());
  if (resume) {
    const std::string run = output_dir_of(all, path), own = join_path(run, kRunConfig);
    const bool is_own = exists(own) && std::filesystem::equivalent(own, path);
    all = resumed_settings(run, is_own ? std::vector<Setting>{} : std::move(settings), given);
  }
  RunConfig config = run_config_of(path, all, resume);
  config.text = read_file(path);
  return config;
}

RunConfig run_config_of(const std::string& path, std::span<const Setting> settings, bool resume) {
  RunConfig config;
  config.source = path;
  set_keys(config, settings);
  if (!config.train.init_from.empty()) {
    const std::string directory = init_from_directory(config.train, resume);
    ModelConfig init_from = init_from_config(directory);
    // The run began so; whether its head has become a tensor of its own the trainer finds.
    if (resume && config.train.untie_at_step > 0 &&
        !list_checkpoints(config.train.output_dir).empty()) {
      init_from.tie_word_embeddings = true;
    }
    config = {};
    config.source = path;
    config.init_from = directory;
    config.model = init_from;
    set_keys(config, settings);
    settle_init_from(config, init_from, [&](const std::string& key) {
      const Setting* const setting = find_setting(settings, key);
      return setting ? setting->where : path;
    });
  }
  config.data.train = shards_of(config.data.train, "train");
  config.data.val = shards_of(config.data.val, "val");
  for (SourceConfig& source : config.data.sources) source.train = shards_of(source.train, "train");
  if (config.data.tokenizer.empty()) {
    const std::string shards = config.data.training_sources().front().train;
    const std::string beside = join_path(shard_directories(shards).front(), "tokenizer.json");
    if (exists(beside)) config.data.tokenizer = beside;
  }
  if (config.schedule.decay_steps == 0) config.schedule.decay_steps = config.train.steps;
  return config;
}

Precision precision_named(const std::string& name) {
  return name == "bf16" ? Precision::bf16 : Precision::fp32;
}

Precision precision_of(const TrainConfig& train) {
  return precision_named(train.precision);
}

std::string to_toml(const RunConfig& config) {
  std::string text, open_table;
  list_keys(config, [&](const std::string& table, const std::string& key, const std::string& value,
                        const char*) {
    if (table != open_table) text += (text.empty() ? "[" : "\n[") + table + "]\n";
    open_table = table;
    text += key + " = " + value + "\n";
  });
  return text;
}

std::string describe_keys() {
  std::string text, open_table;
  RunConfig config;
  config.data.sources = {{.name = "NAME", .train = ""}};
  config.optimizer.groups = {{.name = "NAME", .pattern = ""}};
  list_keys(config, [&](const std::string& table, const std::string& key, const std::string& value,
                        const char* meaning) {
    if (table != open_table) text += (text.empty() ? "[" : "\n[") + table + "]\n";
    open_table = table;
    std::string assignment = key + " = " + value;
    assignment.resize(std::max<size_t>(assignment.size() + 1, 35), ' ');
    text += assignment + "# " + meaning + "\n";
  });
  return text;
}

}  // namespace cria
