#include "report/bench_compare.h"

#include <algorithm>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "report/report_text.h"

namespace cria {
namespace {

constexpr const char* kHint = "'cria bench CONFIG --json' prints what can be compared with";

const Json& member(const Json& json, const std::string& key, const std::string& place) {
  if (const Json* const value = json.find(key)) return *value;
  throw Error("missing", {.where = place + "." + key, .hint = kHint});
}

Median read_seconds(const Json& json, const std::string& place) {
  const auto read = [&](const char* key) {
    return member(json, key, place).as_double(place + "." + key);
  };
  const Median seconds = {read("seconds"), read("seconds_low"), read("seconds_high")};
  if (seconds.low > 0 && seconds.low <= seconds.value && seconds.value <= seconds.high) {
    return seconds;
  }
  throw Error("not a time in seconds",
              {.where = place, .expected = "0 < seconds_low <= seconds <= seconds_high"});
}

// The medians of the step, if there is one, and of the kernels.
std::vector<std::pair<std::string, Median>> read_medians(const Json& json,
                                                         const std::string& path) {
  std::vector<std::pair<std::string, Median>> medians;
  if (const Json* const step = json.find("step")) {
    medians.emplace_back("step", read_seconds(*step, path + ": step"));
  }
  if (const Json* const kernels = json.find("kernels")) {
    size_t index = 0;
    for (const Json& kernel : kernels->as_array(path + ": kernels")) {
      const std::string place = path + ": kernels[" + std::to_string(index++) + "]";
      const std::string& name = member(kernel, "name", place).as_string(place + ".name");
      medians.emplace_back(name, read_seconds(kernel, place));
    }
  }
  return medians;
}

std::string shown(const Json* json) {
  return json ? escape(json->dump(), "") : "nothing";
}

void require_equal(const Json* then, const Json& now, const std::string& place) {
  if (then && *then == now) return;
  if (then && then->is_object() && now.is_object()) {
    for (const auto& [key, value] : now.as_object(place)) {
      require_equal(then->find(key), value, place + "." + key);
    }
    return;
  }
  throw Error("measured with another config", {.where = place,
                                               .expected = now.dump() + ", as now",
                                               .got = shown(then),
                                               .hint = "compare the same model and batch"});
}

}  // namespace

EarlierBench::EarlierBench(const std::string& path)
    : path_(path), json_(read_json(path)), medians_(read_medians(json_, path)) {
  if (!medians_.empty()) return;
  throw Error("not a result of 'cria bench'",
              {.where = path, .expected = "an object with a step or kernels", .hint = kHint});
}

void EarlierBench::require_config(const Json& config) const {
  require_equal(json_.find("config"), config, path_ + ": config");
}

std::vector<Change> EarlierBench::changes(const Json& now) const {
  std::vector<Change> changes;
  for (const auto& [name, seconds] : read_medians(now, "now")) {
    const auto then = std::ranges::find(medians_, name, &std::pair<std::string, Median>::first);
    if (then != medians_.end()) changes.push_back({name, then->second, seconds});
  }
  if (!changes.empty()) return changes;
  throw Error("nothing in common with this bench", {.where = path_,
                                                    .expected = "the step or kernels of this bench",
                                                    .got = quote(medians_.front().first),
                                                    .hint = "use the same options"});
}

std::vector<std::string> EarlierBench::warnings(const Json& now) const {
  std::vector<std::string> warnings;
  for (const auto& [object, key] :
       {std::pair{"machine", "processor"}, std::pair{"machine", "threads"},
        std::pair{"machine", "isa"}, std::pair{"step", "precision"}}) {
    const Json *const a = json_.find(object), *const b = now.find(object);
    if (!a || !b) continue;
    const std::string then = shown(a->find(key)), current = shown(b->find(key));
    if (then == current) continue;
    warnings.push_back(path_ + ": " + object + "." + key + ": " + then + " then, " + current +
                       " now");
  }
  const Json* const machine = json_.find("machine");
  const Json* const busy = machine ? machine->find("busy") : nullptr;
  if (busy && !busy->is_null()) {
    warnings.push_back(path_ + ": machine.busy: the machine was busy then: " + shown(busy));
  }
  return warnings;
}

Json to_json(const std::vector<Change>& changes) {
  Json::Array rows;
  for (const Change& c : changes) {
    rows.push_back(Json::Object{{"name", c.name},
                                {"seconds_then", c.then.value},
                                {"seconds_now", c.now.value},
                                {"ratio", c.ratio()},
                                {"ratio_low", c.ratio_low()},
                                {"ratio_high", c.ratio_high()},
                                {"within_noise", c.is_noise()}});
  }
  return rows;
}

void print(const std::vector<Change>& changes) {
  std::vector<std::vector<std::string>> lines;
  for (const Change& c : changes) {
    lines.push_back({c.name, fixed(c.then.value * 1e3, 3), fixed(c.now.value * 1e3, 3),
                     fixed(c.ratio(), 3),
                     fixed(c.ratio_low(), 3) + " to " + fixed(c.ratio_high(), 3),
                     c.is_noise() ? "within the noise" : ""});
  }
  print_table({{"median", true}, {"ms then"}, {"ms now"}, {"now/then"}, {"95%"}, {"", true}},
              lines);
}

}  // namespace cria
