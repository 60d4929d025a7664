#include "cria/train/metrics.h"

#include <cmath>

#include "cria/base/file.h"

namespace cria {

Json to_json(const StepMetrics& m) {
  Json json;
  json.set("step", m.step);
  json.set("tokens", m.tokens);
  json.set("loss", m.loss);
  json.set("lr", m.learning_rate);
  json.set("grad_norm", m.grad_norm);
  json.set("tokens_per_s", m.tokens_per_second);
  json.set("gflops", m.gflops);
  json.set("mfu", m.mfu);
  json.set("seconds", m.seconds);
  json.set("data_wait", m.data_wait);
  return json;
}

Json to_json(const Evaluation& e, int64_t step) {
  Json json;
  json.set("step", step);
  json.set("val_loss", e.loss);
  json.set("val_perplexity", e.perplexity);
  if (!std::isnan(e.bits_per_byte)) json.set("val_bits_per_byte", e.bits_per_byte);
  json.set("seconds", e.seconds);
  return json;
}

MetricsLog::MetricsLog(const std::string& path, int64_t step) : path_(path) {
  if (!exists(path)) return;
  const std::string text = read_file(path);
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // cut short by a crash
    const std::string line = text.substr(begin, end - begin + 1);
    const Json json = Json::parse(line, path);
    const Json* line_step = json.find("step");
    if (line_step && line_step->as_int(path + ": step") <= step) kept += line;
    begin = end + 1;
  }
  if (kept != text) write_file(path, kept);
}

void MetricsLog::write(const Json& line) {
  append_to_file(path_, line.dump() + "\n");
}

}  // namespace cria
