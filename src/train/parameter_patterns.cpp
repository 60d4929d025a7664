#include "train/parameter_patterns.h"

#include <algorithm>
#include <string>
#include <vector>

#include "cria/base/error.h"

namespace cria {
namespace {

bool matches(const std::string& pattern, const std::string& name) {
  const ParameterGroup group = {.name = {}, .pattern = pattern};
  return group_of({&group, 1}, name) != nullptr;
}

bool is_frozen(const RunConfig& config, const std::string& name) {
  return std::ranges::any_of(config.train.freeze,
                             [&](const std::string& pattern) { return matches(pattern, name); });
}

// The names, one for all layers.
std::vector<std::string> names_by_kind(const std::vector<std::string>& names) {
  const std::string layers = "model.layers.";
  std::vector<std::string> kinds;
  for (std::string name : names) {
    if (name.starts_with(layers)) {
      name.replace(layers.size(), name.find('.', layers.size()) - layers.size(), "*");
    }
    if (std::ranges::find(kinds, name) == kinds.end()) kinds.push_back(name);
  }
  return kinds;
}

}  // namespace

void require_pattern_members(const RunConfig& config, const Parameters& parameters) {
  const std::vector<ParameterGroup>& groups = config.optimizer.groups;
  std::vector<std::string> names;
  for (const Parameter& slot : parameters.slots()) names.push_back(slot.name);
  if (config.train.untie_at_step > 0) names.push_back("lm_head.weight");
  const auto refuse = [&](const std::string& summary, const std::string& key,
                          const std::string& pattern) {
    const std::vector<std::string> kinds = names_by_kind(names);
    throw Error(summary, {.where = config.source + ": " + key,
                          .expected = one_of(kinds),
                          .got = "\"" + pattern + "\"",
                          .hint = did_you_mean(pattern, kinds)});
  };
  for (const ParameterGroup& group : groups) {
    const auto is_member = [&](const std::string& name) {
      return group_of(groups, name) == &group;
    };
    if (std::ranges::any_of(names, is_member)) continue;
    refuse("matches no parameter that an earlier group leaves",
           "optimizer.groups." + group.name + ".pattern", group.pattern);
  }
  for (const std::string& pattern : config.train.freeze) {
    const auto is_member = [&](const std::string& name) { return matches(pattern, name); };
    if (std::ranges::any_of(names, is_member)) continue;
    refuse("matches no parameter", "train.freeze", pattern);
  }
  const auto stays = [&](const Parameter& slot) {
    return slot.frozen || is_frozen(config, slot.name);
  };
  if (std::ranges::all_of(parameters.slots(), stays)) {
    throw Error("all parameters are frozen, so there is nothing to train",
                {.where = config.source + ": train.freeze",
                 .expected = "patterns that leave something",
                 .hint = "train.steps = 0 writes a model as it is"});
  }
}

void freeze_parameters(const RunConfig& config, Parameters& parameters) {
  for (Parameter& slot : parameters.slots()) {
    slot.frozen = slot.frozen || is_frozen(config, slot.name);
  }
}

}  // namespace cria
