// Readers of text: TOML, JSON, configs, patterns, documents.
#include <algorithm>

#include "base/config_key.h"
#include "base/toml.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/exchange/model_directory.h"
#include "cria/train/run_config.h"
#include "experiment/experiment_file.h"
#include "experiment/run_plan.h"
#include "fuzz/target.h"
#include "model/config_json.h"
#include "prepare/text_input.h"
#include "train/parameter_patterns.h"

namespace cria {
namespace {

void read_toml(const FuzzParts& parts) {
  std::vector<TomlEntry> tables;
  for (const TomlEntry& entry : parse_toml(parts[0], "toml", &tables)) {
    require(parse_toml_value(dump_toml(entry.value), "toml") == entry.value,
            "a TOML value that comes back as another");
  }
}

void read_json_text(const FuzzParts& parts) {
  const Json value = Json::parse(parts[0], "json");
  for (const int indent : {0, 2}) {
    require(Json::parse(value.dump(indent), "json") == value,
            "a JSON value that comes back as another");
  }
  if (!value.is_object()) return;
  const Json* const member = value.find("text");
  const Json object = Json::parse_member(parts[0], "text", "json", 1);
  const Json* const alone = object.find("text");
  require(!member == !alone && (!member || *member == *alone), "a member that is another alone");
}

// UTF-8 in pieces is what it is as a whole; what is shown of anything is text.
void read_utf8(const FuzzParts& parts) {
  const std::string_view text = parts[0];
  Utf8Stream cut;
  const size_t at = choice(text, text.size() + 1);
  const std::string repaired = valid_utf8(text);
  std::string in_two = cut.push(text.substr(0, at));
  in_two += cut.push(text.substr(at));
  require(in_two + cut.finish() == repaired, "a stream that depends on its pieces");
  require(!first_invalid_utf8(repaired), "a repaired stream that is not UTF-8");
  require(first_invalid_utf8(text) || repaired == text, "valid UTF-8 that was repaired");
  const std::string shown = quote(text);
  require(escape(shown, "") == shown, "quoted text that a terminal would take for a command");
  locate(text, at);
}

void read_config(const FuzzParts& parts) {
  std::vector<std::string> overrides;
  std::string_view rest = parts[1];
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    overrides.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const RunConfig config = read_run_config("config.toml", overrides);
  const std::string text = to_toml(config);
  write_input("again.toml", text);
  require(to_toml(read_run_config("again.toml", {})) == text,
          "a config that comes back as another");
  Parameters parameters;
  const std::vector<ParameterSpec> specs = {{"model.embed_tokens.weight", {4, 4}},
                                            {"lm_head.weight", {4, 4}}};
  for (const ParameterSpec& spec : specs) parameters.add(spec, {}, {});
  require_pattern_members(config, parameters);
}

void read_experiment_file(const FuzzParts&) {
  plan_runs(read_experiment("experiment.toml"), "runs");
}

void read_model_config_json(const FuzzParts&) {
  read_generation(".");
  const ModelConfig config = read_model_config(".");
  require(model_config_from_json(to_json(config), "again") == config,
          "a model's config that comes back as another");
}

// parts[0]: how documents are told apart; a byte of choices, and a separator.
void read_documents(const FuzzParts& parts) {
  const unsigned bits = parts[0].empty() ? 0 : static_cast<unsigned char>(parts[0][0]);
  DocumentRule rule;
  rule.format = bits & 1 ? "jsonl" : "text";
  rule.lines = bits & 2;
  rule.skip_bad = bits & 4;
  rule.invalid_utf8 = static_cast<InvalidUtf8>((bits >> 3) % 3);
  if (!rule.lines) rule.separator = parts[0].substr(std::min<size_t>(1, parts[0].size()));
  const TextInput input({"documents.txt"}, rule);
  const TextCut cut = {[](std::string_view, size_t from) { return from; }, 16};
  std::string all;
  int64_t begun = 0, ended = 0;
  const TextTotals totals = input.read(
      cut,
      [&](std::span<const TextChunk> chunks) {
        for (const TextChunk& chunk : chunks) {
          all += chunk.text;
          begun += chunk.begins;
          ended += chunk.ends;
        }
      },
      [](int64_t) {});
  require(totals.bytes == std::ssize(all), "bytes that were not counted");
  require(totals.documents == begun && begun == ended, "documents that do not begin and end");
  require(rule.invalid_utf8 == InvalidUtf8::keep || !first_invalid_utf8(all),
          "documents that are not UTF-8");
}

// A glob among a few files names some of these, or none. Elsewhere other programs make and remove
// what it finds.
void read_glob(const FuzzParts& parts) {
  if (parts[0].starts_with('/') || parts[0].find("..") != parts[0].npos) return;
  for (const char* const name : {"a_0.bin", "a_1.bin", "[a].bin"}) write_input(name, name);
  for (const std::string& name : glob_files(std::string(parts[0])))
    require(exists(name), "a file that is not there");
}

}  // namespace

std::vector<FuzzTarget> text_targets() {
  return {{"toml", {"text"}, read_toml},
          {"json", {"text"}, read_json_text},
          {"utf8", {"text"}, read_utf8},
          {"config", {"config.toml", "overrides"}, read_config},
          {"experiment", {"experiment.toml", "base.toml"}, read_experiment_file},
          {"model_config", {"config.json", "generation_config.json"}, read_model_config_json},
          {"documents", {"rule", "documents.txt"}, read_documents},
          {"glob", {"pattern"}, read_glob}};
}

}  // namespace cria
