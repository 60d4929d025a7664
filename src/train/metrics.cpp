#include "cria/train/metrics.h"

#include <algorithm>
#include <cmath>

#include "base/first_error.h"
#include "base/unicode.h"
#include "cria/base/file.h"

namespace cria {
namespace {

// No run has as many keys, nor a table with so many cells for each byte of its lines.
constexpr size_t kMostColumns = 8192, kMostCells = 64;
constexpr const char* kMoveAway = "cria did not write it: move it away";

// Calls body(line with its end, its JSON) for the whole lines; a crash may have cut the last short.
// Lines that hold no object are passed over. How many those are.
template <class Body>
int64_t for_lines(std::string_view text, const std::string& path, Body&& body) {
  int64_t damaged = 0;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const std::string_view line = text.substr(begin, end - begin + 1);
    Json json;
    const auto problem = message_of_error([&] {
      json = Json::parse(line, path);
      json.as_object(path);
    });
    if (problem) {
      ++damaged;
    } else {
      body(line, json);
    }
  }
  return damaged;
}

}  // namespace

Json to_json(const StepMetrics& m) {
  Json json = Json::Object{{"step", m.step}, {"tokens", m.tokens}};
  if (m.skipped) {
    json.set("skipped", 1);
    return json;
  }
  json.set("loss", m.loss);
  json.set("lr", m.learning_rate);
  json.set("grad_norm", m.grad_norm);
  json.set("tokens_per_s", m.tokens_per_second);
  json.set("gflops", m.gflops);
  json.set("mfu", m.mfu);
  json.set("seconds", m.seconds);
  json.set("data_wait", m.data_wait);
  json.set("cpu_seconds", m.cpu_seconds);
  return json;
}

Json to_json(const Evaluation& e, int64_t step) {
  Json json = Json::Object{{"step", step}, {"val_loss", e.loss}, {"val_perplexity", e.perplexity}};
  if (!std::isnan(e.bits_per_byte)) json.set("val_bits_per_byte", e.bits_per_byte);
  json.set("seconds", e.seconds);
  return json;
}

void read_metrics(const std::string& path, const std::function<void(const Json& line)>& body) {
  for_lines(read_file(path), path, [&](std::string_view, const Json& line) { body(line); });
}

std::vector<double> read_losses(const std::string& run) {
  const std::string path = join_path(run, "metrics.jsonl");
  std::vector<double> losses;
  if (!exists(path)) return losses;
  read_metrics(path, [&](const Json& line) {
    const Json* const loss = line.find("loss");
    if (loss) losses.push_back(loss->as_double(path + ": loss"));
  });
  return losses;
}

MetricsLog::MetricsLog(const std::string& run, int64_t step)
    : lines_path_(join_path(run, "metrics.jsonl")), csv_path_(join_path(run, "metrics.csv")) {
  if (!exists(lines_path_)) return;
  const std::string text = read_file(lines_path_);
  std::string kept;
  size_t lines = 0;
  damaged_ = for_lines(text, lines_path_, [&](std::string_view line, const Json& json) {
    const Json* line_step = json.find("step");
    if (!line_step || line_step->as_int(lines_path_ + ": step") > step) return;
    kept += line;
    ++lines;
    add_columns(json);
  });
  if (lines * columns_.size() > kMostCells * text.size()) {
    throw Error(
        "too many keys for as many lines",
        {.where = lines_path_,
         .expected = "a table of at most " + std::to_string(kMostCells) +
                     " cells for each byte of the file",
         .got = std::to_string(columns_.size()) + " keys in " + std::to_string(lines) + " lines",
         .hint = kMoveAway});
  }
  if (kept != text) write_file(lines_path_, kept);
  write_csv();
}

void MetricsLog::write(const Json& line) {
  append_to_file(lines_path_, line.dump() + "\n");
  if (add_columns(line)) {
    write_csv();
  } else {
    append_to_file(csv_path_, row(line));
  }
}

bool MetricsLog::add_columns(const Json& line) {
  const size_t before = columns_.size();
  for (const auto& [key, value] : line.as_object(lines_path_)) {
    if (std::ranges::find(columns_, key) == columns_.end()) columns_.push_back(key);
  }
  if (columns_.size() > kMostColumns) {
    throw Error("too many keys", {.where = lines_path_,
                                  .expected = "at most " + std::to_string(kMostColumns),
                                  .hint = kMoveAway});
  }
  return columns_.size() > before;
}

std::string MetricsLog::row(const Json& line) const {
  std::string cells;
  for (const std::string& column : columns_) {
    const Json* value = line.find(column);
    if (&column != &columns_.front()) cells += ',';
    const std::string cell = value ? value->dump() : "";
    if (cell != "null") cells += cell;  // as what is not finite becomes
  }
  return cells + '\n';
}

void MetricsLog::write_csv() const {
  std::string text = joined(columns_, ",") + '\n';
  for_lines(read_file(lines_path_), lines_path_,
            [&](std::string_view, const Json& json) { text += row(json); });
  write_file(csv_path_, text);
}

}  // namespace cria
