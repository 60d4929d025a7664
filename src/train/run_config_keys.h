// The keys of a config file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/config_key.h"
#include "cria/train/run_config.h"

namespace cria {

inline const std::string kSources = "data.sources.", kGroups = "optimizer.groups.";

// In the directory of a run: its resolved config, and the config file as it was last given.
inline constexpr const char *kRunConfig = "config.toml", *kGivenConfig = "given.toml";

// The one list of keys. Everything that reads, writes or explains a config walks it.
std::vector<Key> keys_of(RunConfig& config);

// A key as the file or an override gives it.
struct Setting {
  std::string key;
  TomlValue value;
  std::string where;  // for errors
};

// The keys of a TOML file, each with its file:line:column.
std::vector<Setting> read_settings(const std::string& path);

// read_run_config of settings, of which later ones win. path: the file that errors about what is
// missing name.
RunConfig run_config_of(const std::string& path, std::span<const Setting> settings,
                        bool resume = false);

}  // namespace cria
