#include "report/model_report.h"

#include <cstdio>

#include "cli/terminal.h"
#include "cria/tensor/tensor.h"
#include "report/report_text.h"
#include "report/tensor_report.h"
#include "report/tokenizer_report.h"

namespace cria {
namespace {

using Lines = std::vector<std::vector<std::string>>;

// "model.layers.0." of "model.layers.0.mlp.up_proj.weight": up to the first number between dots.
std::string layer_prefix(const std::string& name) {
  for (size_t begin = 0, end; (end = name.find('.', begin)) != name.npos; begin = end + 1) {
    const std::string part = name.substr(begin, end - begin);
    if (!part.empty() && part.find_first_not_of("0123456789") == part.npos) {
      return name.substr(0, end + 1);
    }
  }
  return "";
}

// The name for the next line, below a line for its layer when that is another one than before.
class LayerLines {
 public:
  explicit LayerLines(Lines& lines) : lines_(lines) {}

  std::string name(const std::string& full) {
    const std::string prefix = layer_prefix(full);
    if (prefix != prefix_ && !prefix.empty()) {
      lines_.push_back({prefix.substr(0, prefix.size() - 1)});
    }
    prefix_ = prefix;
    return prefix.empty() ? full : "  " + full.substr(prefix.size());
  }

 private:
  Lines& lines_;
  std::string prefix_;
};

std::string bytes_text(uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  if (unit == 0) return std::to_string(bytes) + " bytes";
  return fixed(value, 1) + " " + kUnits[unit];
}

void print_header(const ModelReport& report) {
  const ModelFile& model = report.model;
  const ParameterCounts& counts = report.counts;
  std::printf("%-10s %s\n", model.config ? "model" : "file", model.path.c_str());
  if (model.config) std::printf("           %s\n", config_text(*model.config).c_str());
  if (!model.config_problem.empty()) std::printf("config     %s\n", model.config_problem.c_str());
  if (model.tokenizer) {
    std::printf("tokenizer  %s\n", description(*model.tokenizer).c_str());
  } else if (!model.tokenizer_problem.empty()) {
    std::printf("tokenizer  %s\n", model.tokenizer_problem.c_str());
  }
  std::string dtypes;
  for (const auto& [dtype, count] : counts.dtypes) {
    dtypes += ", " + (counts.dtypes.size() == 1 ? dtype : std::to_string(count) + " " + dtype);
  }
  std::printf("tensors    %zu%s, %s, %s\n", model.file.tensors().size(), dtypes.c_str(),
              bytes_text(counts.bytes).c_str(), model.file.summary().c_str());
  std::printf("parameters %lld\n", static_cast<long long>(counts.total));
  if (counts.embedding == 0) return;
  std::printf(
      "           %lld embedding, %lld without embedding%s\n",
      static_cast<long long>(counts.embedding),
      static_cast<long long>(counts.total - counts.embedding),
      counts.head > 0 ? (", " + std::to_string(counts.head) + " of these head").c_str() : "");
  if (counts.saved_by_tying > 0) {
    std::printf("           %lld saved by tying\n", static_cast<long long>(counts.saved_by_tying));
  }
}

// A line of its own for what should not be there.
void print_not_finite(const ModelReport& report) {
  int64_t nans = 0, infinities = 0, tensors = 0;
  for (const std::optional<TensorStatistics>& s : report.statistics) {
    if (!s) continue;
    nans += s->nans;
    infinities += s->infinities;
    tensors += s->nans + s->infinities > 0;
  }
  const bool color = takes_colors(stdout) && tensors > 0;
  if (tensors == 0) {
    std::printf("not finite none\n");
  } else {
    std::printf("%snot finite %lld NaN and %lld infinite in %s%s\n", color ? "\033[31m" : "",
                static_cast<long long>(nans), static_cast<long long>(infinities),
                plural(tensors, "tensor").c_str(), color ? "\033[0m" : "");
  }
}

std::string share(int64_t part, int64_t total) {
  if (part == 0) return "0";
  const std::string text = percent(part, total);
  return text == "0.0%" ? "<0.1%" : text;
}

void print_statistics(const ModelReport& report) {
  // The header names the dtype where all tensors have the same.
  const bool show_dtypes = report.counts.dtypes.size() > 1;
  std::vector<TableColumn> columns = {{"tensor", true}, {"shape", true}};
  if (show_dtypes) columns.push_back({"dtype", true});
  for (const char* const heading : {"mean", "std", "min", "max", "norm"}) {
    columns.push_back({heading});
  }
  columns.push_back({"zeros", false, true});
  columns.push_back({"NaN", false, true});
  Lines lines;
  LayerLines names(lines);
  const std::vector<FileTensor>& tensors = report.model.file.tensors();
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::vector<std::string> cells = {names.name(tensors[i].name), shape_string(tensors[i].shape)};
    if (show_dtypes) cells.push_back(tensors[i].dtype);
    const std::optional<TensorStatistics>& s = report.statistics[i];
    if (s && s->finite > 0) {
      cells.push_back(significant(s->mean, 2));
      for (const double value : {s->std, s->min, s->max, s->norm}) {
        cells.push_back(significant(value, 3));
      }
      cells.push_back(share(s->zeros, s->count()));
    } else {
      cells.insert(cells.end(), 6, "-");
    }
    cells.push_back(s ? std::to_string(s->nans) : "-");
    lines.push_back(cells);
    if (s && s->infinities > 0) {
      lines.push_back({"    and " + std::to_string(s->infinities) + " infinite"});
    }
  }
  print_table(columns, lines);
}

void print_histograms(const ModelReport& report) {
  Lines lines;
  LayerLines names(lines);
  const std::vector<FileTensor>& tensors = report.model.file.tensors();
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::vector<std::string> cells = {names.name(tensors[i].name), shape_string(tensors[i].shape)};
    const Histogram& histogram = report.histograms[i];
    if (histogram.counts.empty()) {
      cells.insert(cells.end(), 3, "-");
    } else {
      cells.insert(cells.end(), {significant(histogram.low, 3), sparkline(histogram),
                                 significant(histogram.high, 3)});
    }
    lines.push_back(cells);
  }
  print_table({{"tensor", true}, {"shape", true}, {"from"}, {"values", true}, {"to"}}, lines);
}

// --- comparison

// Stands in place of figures; "" where there are some.
std::string state_text(const ComparedTensor& tensor) {
  switch (tensor.state) {
    case ComparedTensor::State::only_in_a:
      return "first only";
    case ComparedTensor::State::only_in_b:
      return "second only";
    case ComparedTensor::State::other_shape:
      return "other shape";
    case ComparedTensor::State::not_read:
      return tensor.same_bytes ? "identical" : "differs";
    case ComparedTensor::State::compared:
      return tensor.change.identical ? "identical" : "";
  }
  return "";
}

Json change_json(const TensorChange& change) {
  return Json::Object{{"identical", change.identical},
                      {"max_abs_difference", change.largest},
                      {"relative_norm", change.relative()},
                      {"cosine", change.cosine()},
                      {"not_finite", change.not_finite}};
}

}  // namespace

Json to_json(const ModelReport& report) {
  const ModelFile& model = report.model;
  const ParameterCounts& counts = report.counts;
  Json dtypes = Json::Object{}, config;
  for (const auto& [dtype, count] : counts.dtypes) dtypes.set(dtype, count);
  if (model.config) {
    const ModelConfig& c = *model.config;
    config = Json::Object{{"num_hidden_layers", c.num_hidden_layers},
                          {"hidden_size", c.hidden_size},
                          {"intermediate_size", c.intermediate_size},
                          {"num_attention_heads", c.num_attention_heads},
                          {"num_key_value_heads", c.num_key_value_heads},
                          {"head_dim", c.head_dim},
                          {"vocab_size", c.vocab_size},
                          {"position", c.position},
                          {"tie_word_embeddings", c.tie_word_embeddings}};
  }
  Json::Array tensors;
  for (size_t i = 0; i < model.file.tensors().size(); ++i) {
    Json json = tensor_json(model.file.tensors()[i]);
    if (report.statistics[i]) json.set("statistics", statistics_json(*report.statistics[i]));
    if (!report.histograms.empty()) json.set("histogram", histogram_json(report.histograms[i]));
    tensors.push_back(json);
  }
  return Json::Object{
      {"path", model.path},
      {"format", format_name(model.file.format())},
      {"config", config},
      {"parameters", Json::Object{{"total", counts.total},
                                  {"embedding", counts.embedding},
                                  {"without_embedding", counts.total - counts.embedding},
                                  {"head", counts.head},
                                  {"saved_by_tying", counts.saved_by_tying}}},
      {"bytes", counts.bytes},
      {"dtypes", dtypes},
      {"tensors", tensors}};
}

void print(const ModelReport& report) {
  print_header(report);
  print_not_finite(report);
  std::printf("\n");
  if (report.histograms.empty()) {
    print_statistics(report);
  } else {
    print_histograms(report);
  }
}

Json to_json(const FileComparison& comparison, const std::string& path,
             const std::string& other_path) {
  Json::Array tensors;
  for (const ComparedTensor& tensor : comparison.tensors) {
    using State = ComparedTensor::State;
    constexpr const char* kStates[] = {"only_in_first", "only_in_second", "other_shape", "not_read",
                                       "compared"};  // as State
    Json json = Json::Object{
        {"name", tensor.name},
        {"state", kStates[static_cast<size_t>(tensor.state)]},
        {"shape", tensor.state == State::only_in_b ? Json() : shape_json(tensor.a_shape)},
        {"other_shape", tensor.state == State::only_in_a ? Json() : shape_json(tensor.b_shape)}};
    if (tensor.state == State::not_read) json.set("identical", tensor.same_bytes);
    if (tensor.state == State::compared) json.set("change", change_json(tensor.change));
    tensors.push_back(json);
  }
  return Json::Object{{"path", path},
                      {"other", other_path},
                      {"hugging_face_names", comparison.hugging_face_names},
                      {"all", change_json(comparison.all)},
                      {"tensors", tensors}};
}

void print(const FileComparison& comparison, const std::string& path,
           const std::string& other_path) {
  Lines lines;
  LayerLines names(lines);
  int64_t compared = 0, identical = 0, others = 0;
  for (const ComparedTensor& tensor : comparison.tensors) {
    using State = ComparedTensor::State;
    const bool is_compared = tensor.state == State::compared;
    compared += is_compared;
    identical += is_compared && tensor.change.identical;
    others += !is_compared;
    std::vector<std::string> cells = {
        names.name(tensor.name),
        shape_string(tensor.state == State::only_in_b ? tensor.b_shape : tensor.a_shape)};
    if (const std::string state = state_text(tensor); !state.empty()) {
      cells.push_back(state);
    } else {
      cells.insert(cells.end(),
                   {significant(tensor.change.largest, 3), significant(tensor.change.relative(), 3),
                    fixed_or_dash(tensor.change.cosine(), 6)});
    }
    lines.push_back(cells);
    if (tensor.state == State::other_shape) {
      lines.push_back({"    in the second " + shape_string(tensor.b_shape)});
    }
    if (tensor.change.not_finite > 0) {
      lines.push_back({"    and " + std::to_string(tensor.change.not_finite) + " not finite"});
    }
  }
  std::printf("first      %s\nsecond     %s\n", path.c_str(), other_path.c_str());
  if (comparison.hugging_face_names) {
    std::printf("names      Hugging Face's, as the formats differ\n");
  }
  std::printf("tensors    %lld compared: %lld changed, %lld identical%s\n",
              static_cast<long long>(compared), static_cast<long long>(compared - identical),
              static_cast<long long>(identical),
              others > 0 ? ("; " + plural(others, "other")).c_str() : "");
  if (compared > identical) {
    std::printf("together   max |a-b| %s, |a-b|/|a| %s, cosine %s\n",
                significant(comparison.all.largest, 3).c_str(),
                significant(comparison.all.relative(), 3).c_str(),
                fixed_or_dash(comparison.all.cosine(), 6).c_str());
  }
  std::printf("\n");
  print_table({{"tensor", true}, {"shape", true}, {"max |a-b|"}, {"|a-b|/|a|"}, {"cosine"}}, lines);
}

}  // namespace cria
