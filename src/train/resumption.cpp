#include "train/resumption.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/first_error.h"
#include "base/number.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "train/run_config_keys.h"

namespace cria {
namespace {

// With other values of these the weights of the steps done would have been the same, or they are
// compared elsewhere: those of the data with their content. The learning rate is step by step.
constexpr std::array<std::string_view, 19> kHarmless = {"train.steps",
                                                        "train.patience",
                                                        "train.eval_every",
                                                        "train.eval_batches",
                                                        "train.checkpoint_every",
                                                        "train.keep_checkpoints",
                                                        "train.sample_every",
                                                        "train.sample_prompt",
                                                        "train.sample_tokens",
                                                        "train.output_dir",
                                                        "train.init_from",
                                                        "train.on_nonfinite",
                                                        "train.on_spike",
                                                        "train.seed",
                                                        "train.peer_timeout",
                                                        "data.train",
                                                        "data.val",
                                                        "data.tokenizer",
                                                        "data.sequence_length"};

bool is_harmless(std::string_view key) {
  return key.starts_with("log.") || std::ranges::find(kHarmless, key) != kHarmless.end() ||
         key.starts_with(kSources);
}

bool is_of_rate(std::string_view key) {
  return key.starts_with("schedule.") || key == "optimizer.learning_rate";
}

struct Change {
  std::string key, before, now;
};

// A key that an earlier version did not have was what is its default now.
std::vector<Change> changes_between(const std::vector<TomlEntry>& before,
                                    const std::vector<TomlEntry>& now) {
  const std::vector<TomlEntry> defaults = parse_toml(to_toml(RunConfig()), "defaults");
  const auto value_in = [](const std::vector<TomlEntry>& entries, const std::string& key) {
    const auto found = std::ranges::find(entries, key, &TomlEntry::key);
    return found == entries.end() ? std::string() : dump_toml(found->value);
  };
  std::vector<Change> changes;
  const auto compare = [&](const std::string& key) {
    Change change = {key, value_in(before, key), value_in(now, key)};
    for (std::string* const value : {&change.before, &change.now}) {
      if (value->empty()) *value = value_in(defaults, key);
      if (value->empty()) *value = "not there";
    }
    if (change.before != change.now) changes.push_back(std::move(change));
  };
  for (const TomlEntry& entry : now) compare(entry.key);
  for (const TomlEntry& entry : before) {
    if (value_in(now, entry.key).empty()) compare(entry.key);
  }
  return changes;
}

double rate(const RunConfig& config, int64_t step) {
  return config.optimizer.learning_rate * learning_rate_factor(config.schedule, step);
}

// The learning rate as the run had it.
RunConfig with_rate_of(RunConfig config, const std::vector<TomlEntry>& entries,
                       const std::string& path) {
  for (const Key& key : keys_of(config)) {
    if (!is_of_rate(key.name)) continue;
    const auto entry = std::ranges::find(entries, key.name, &TomlEntry::key);
    if (entry != entries.end()) assign(key, entry->value, path);
  }
  return config;
}

// The rate of the last step done, by the settings it was done with, and of the next.
std::string rates(const RunConfig& before, const RunConfig& now, int64_t step) {
  std::string line = "the learning rate was " + significant(rate(before, step - 1), 3) +
                     " in step " + std::to_string(step) + " and is " +
                     significant(rate(now, step), 3) + " in step " + std::to_string(step + 1);
  const int64_t end = now.schedule.decay_steps;
  if (now.schedule.name != "constant" && end < now.train.steps) {
    line += "; from step " + std::to_string(end) + " on it stays at its minimum, " +
            significant(rate(now, end), 3) +
            " (schedule.decay_steps=0 with --change: it falls until the new end instead)";
  }
  return line;
}

[[noreturn]] void refuse(const Resumption& resumption, const std::string& what,
                         const std::string& expected, const std::string& got) {
  throw Error(what + ": it would be another run from here on",
              {.where = resumption.run + ", after step " + std::to_string(resumption.step),
               .expected = expected,
               .got = got,
               .hint = "resume as it was to have the bits of a run without interruption, or say "
                       "--change"});
}

}  // namespace

std::vector<std::string> compare_settings(const Resumption& resumption, const std::string& earlier,
                                          const RunConfig& now) {
  const int64_t step = resumption.step;
  if (now.train.steps < step) {
    throw Error("the run is beyond that already",
                {.where = "train.steps",
                 .expected = "more than the " + std::to_string(step) + " steps done",
                 .got = std::to_string(now.train.steps),
                 .hint = "an earlier checkpoint is there to use as " + resumption.run + "@step-N"});
  }
  if (earlier.empty()) return {};
  const std::string path = join_path(resumption.run, kRunConfig);
  std::vector<TomlEntry> before;
  if (const auto problem = message_of_error([&] { before = parse_toml(earlier, path); })) {
    return {"the settings so far are not known: " + *problem};
  }
  const std::vector<Change> changes = changes_between(before, parse_toml(to_toml(now), path));
  if (changes.empty()) return {};
  const RunConfig then = with_rate_of(now, before, path);
  int64_t same = 0;
  while (same < step && rate(then, same) == rate(now, same)) ++same;
  std::vector<std::string> lines;
  std::string was, is;
  bool of_rate = false;
  for (const Change& change : changes) {
    const bool harmless = is_of_rate(change.key) ? same == step : is_harmless(change.key);
    of_rate = of_rate || is_of_rate(change.key) || change.key == "train.steps";
    lines.push_back(change.key + " was " + change.before + " and is " + change.now +
                    " from here on" +
                    (harmless ? "" : ", which makes it another run than one begun so"));
    if (harmless) continue;
    was += (was.empty() ? "" : ", ") + change.key + " = " + change.before;
    is += (is.empty() ? "" : ", ") + change.key + " = " + change.now;
  }
  if (!is.empty() && !resumption.change) refuse(resumption, "other settings", was, is);
  if (of_rate && step > 0 && step < now.train.steps) lines.push_back(rates(then, now, step));
  return lines;
}

std::vector<std::string> compare_data(const Resumption& resumption, const Json& earlier,
                                      const Json& now) {
  // Checkpoints of before there were hashes have none.
  Json::Object members = now.as_object("data");
  if (!earlier.find("hash")) {
    std::erase_if(members, [](const auto& member) { return member.first == "hash"; });
  }
  const Json comparable = std::move(members);
  if (earlier == comparable) return {};
  if (!resumption.change) {
    refuse(resumption, "other data", earlier.dump(), comparable.dump());
  }
  return {"the data were " + earlier.dump() + " and are " + comparable.dump() +
          " from here on: training goes on at the same place in them"};
}

}  // namespace cria
