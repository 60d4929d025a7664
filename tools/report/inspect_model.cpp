#include "report/inspect_model.h"

#include <algorithm>
#include <filesystem>

#include "base/first_error.h"
#include "base/number.h"
#include "base/unicode.h"
#include "cli/chosen_model.h"
#include "cli/progress.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "model/config_json.h"
#include "report/model_report.h"
#include "report/report_text.h"
#include "report/tensor_report.h"

namespace cria {
namespace {

constexpr size_t kBins = 24;
constexpr int64_t kRowsShown = 8;

const char* const kEmbedding = "model.embed_tokens.weight";
const char* const kHead = "lm_head.weight";

// A run's checkpoint; any other path as it is.
std::string weights_path(const std::string& path) {
  const std::string checkpoint = find_checkpoint(path);
  return checkpoint.empty() ? path : checkpoint;
}

// What work says is wrong, in one line; "" when nothing is.
template <class Work>
std::string problem_of(Work&& work) {
  const std::string text = message_of_error(work).value_or("");
  return text.substr(0, text.find('\n'));
}

ModelFile open_model(const std::string& path, const std::string& tokenizer) {
  if (is_config(path)) {
    // As a directory that goes again at once: files that are mapped stay.
    const LoadedModel initial = initial_model(path);
    namespace fs = std::filesystem;
    const AtomicDirectory written((fs::temp_directory_path() / "cria-inspect").string());
    write_model_directory(written.path(), *initial.model, initial.tokenizer.get());
    ModelFile model = open_model(written.path(), tokenizer);
    model.path = path;
    return model;
  }
  ModelFile model = {.path = weights_path(path), .file = TensorFile(weights_path(path))};
  namespace fs = std::filesystem;
  const bool is_directory = fs::is_directory(model.path);
  const std::string config = join_path(model.path, "config.json");
  if (is_directory && exists(config)) {
    model.config_problem =
        problem_of([&] { model.config = model_config_from_json(read_json(config), config); });
  }
  if (!tokenizer.empty()) {
    model.tokenizer = read_tokenizer(tokenizer);
  } else if (is_directory && has_tokenizer(model.path)) {
    model.tokenizer_problem = problem_of([&] { model.tokenizer = read_tokenizer(model.path); });
  }
  return model;
}

std::optional<bool> tied(const ModelFile& model) {
  return model.config ? std::optional(model.config->tie_word_embeddings) : std::nullopt;
}

// --- the whole

int show_overview(const Options& options, const ModelFile& model) {
  ModelReport report = {.model = model, .counts = parameter_counts(model.file, tied(model))};
  constexpr uint64_t kQuickBytes = 1 << 28;  // read before anybody wonders
  ProgressBar bar(stderr, "inspect");
  const int64_t tensors = static_cast<int64_t>(model.file.tensors().size());
  for (const FileTensor& tensor : model.file.tensors()) {
    std::optional<TensorStatistics>& statistics = report.statistics.emplace_back();
    if (tensor.read) statistics = tensor_statistics(tensor);
    if (options.has("histogram")) {
      report.histograms.push_back(statistics ? tensor_histogram(tensor, *statistics, kBins)
                                             : Histogram());
    }
    if (report.counts.bytes <= kQuickBytes) continue;
    bar.update(static_cast<int64_t>(report.statistics.size()), tensors, "tensors");
  }
  bar.finish();
  return show(options, report);
}

int show_difference(const Options& options, const ModelFile& model) {
  const std::string other = weights_path(options.text("diff", ""));
  const FileComparison comparison = compare_files(model.file, TensorFile(other));
  return show(options, comparison, model.path, other);
}

// --- one tensor

// "a:b", where either may be missing, or "a" for a single one.
Range parse_range(const Options& options, const char* name, int64_t size, int64_t shown) {
  Range range = {0, std::min(size, shown)};
  if (!options.has(name)) return range;
  const std::string text = options.text(name, "");
  const size_t colon = text.find(':');
  const auto number = [&](std::string_view part, int64_t fallback) {
    int64_t value = fallback;
    if (!part.empty() && (!parse_number(part, value) || value < 0)) value = -1;
    return value;
  };
  if (colon == text.npos) {
    range.begin = number(text, -1);
    range.end = range.begin < INT64_MAX ? range.begin + 1 : -1;
  } else {
    range = {number(std::string_view(text).substr(0, colon), 0),
             number(std::string_view(text).substr(colon + 1), size)};
  }
  if (range.begin < 0 || range.end < 0) {
    options.refuse(std::string("invalid value of --") + name,
                   {.expected = "a range such as 0:8, 8: or 5", .got = quote(text)});
  }
  if (range.begin < range.end && range.end <= size) return range;
  throw Error(std::string("no such ") + name,
              {.where = "--" + std::string(name),
               .expected = "0:" + std::to_string(size) + " or a part of it",
               .got = quote(text)});
}

int show_tensor(const Options& options, const ModelFile& model) {
  const FileTensor& tensor = model.file.require(options.text("tensor", ""));
  tensor.require_numbers();
  if (options.has("histogram")) {
    const TensorStatistics statistics = tensor_statistics(tensor);
    return show(options, tensor, statistics, tensor_histogram(tensor, statistics, kBins));
  }
  const std::string& name = tensor.hugging_face_name;
  const bool of_tokens = name == kEmbedding || name == kHead;
  const Tokenizer* const tokenizer = of_tokens ? model.tokenizer.get() : nullptr;
  const TensorWindow window = {
      .tensor = tensor,
      .rows = parse_range(options, "rows", matrix_rows(tensor), kRowsShown),
      .columns =
          parse_range(options, "columns", matrix_columns(tensor), columns_that_fit(tokenizer)),
      .tokenizer = tokenizer};
  return show(options, window);
}

// --- neighbours

// " Rose" for "Rose", and what else differs in a blank or in the case of the first letter; failing
// that, the token nearest by spelling.
std::string suggestion(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<std::string> tokens;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) tokens.emplace_back(tokenizer.token(id));
  std::vector<std::string> variants = {" " + text};
  if (text.starts_with(' ')) variants.push_back(text.substr(1));
  for (const std::string& variant : variants) {
    if (std::ranges::find(tokens, variant) != tokens.end()) {
      return "did you mean " + quote(variant) + "?";
    }
  }
  const std::string guess = did_you_mean(text, tokens);
  return guess.empty() ? "one of these, or id:N" : guess;
}

int32_t token_id(const ModelFile& model, const std::string& text) {
  int64_t id = 0;
  if (text.starts_with("id:") && parse_number(std::string_view(text).substr(3), id) && id >= 0 &&
      id <= INT32_MAX) {
    return static_cast<int32_t>(id);
  }
  if (!model.tokenizer) {
    throw Error("this needs a tokenizer, and there is none here",
                {.where = model.path,
                 .got = model.tokenizer_problem,
                 .hint = "give the token as id:N, or a tokenizer by --tokenizer"});
  }
  const Tokenizer& tokenizer = *model.tokenizer;
  for (int32_t token = 0; token < tokenizer.vocab_size(); ++token) {
    if (tokenizer.token(token) == text) return token;
  }
  std::vector<int32_t> ids;
  const std::string where = "cria inspect --neighbors";
  const std::string problem =
      problem_of([&] { tokenizer.encode(text, ids, where, 0, /*allow_special=*/true); });
  std::string got;
  for (const int32_t token : ids) {
    got += (got.empty() ? "" : ", ") + quote(tokenizer.token(token));
    got += " (id:" + std::to_string(token) + ")";
  }
  throw Error("not one token", {.where = where,
                                .expected = "the text of a token, or id:N",
                                .got = quote(text) + ": " + (problem.empty() ? got : problem),
                                .hint = suggestion(tokenizer, text)});
}

int show_neighbors(const Options& options, const ModelFile& model) {
  const int32_t id = token_id(model, options.text("neighbors", ""));
  const size_t top = static_cast<size_t>(options.integer("top", 10, 1, INT32_MAX));
  std::vector<NeighborList> lists;
  for (const char* const name : {kEmbedding, kHead}) {
    const FileTensor* const table = model.file.find_hugging_face(name);
    if (!table || (name == kHead && tied(model).value_or(false))) continue;
    lists.push_back({table->name, nearest_rows(*table, id, top)});
  }
  if (lists.empty()) {
    throw Error("no table of tokens in this file", {.where = model.path, .expected = kEmbedding});
  }
  return show(options, model.tokenizer.get(), id, lists);
}

}  // namespace

bool names_model(const std::string& path) {
  return is_config(path) || !find_checkpoint(path).empty() || tensor_file_format(path);
}

const std::vector<Option>& model_options() {
  static const std::vector<Option> all = {
      {"tensor", "NAME", "model: the numbers of a tensor"},
      {"rows", "A:B", "model: which rows of it (default: the first 8)"},
      {"columns", "A:B", "model: which columns of it (default: as many as fit a line)"},
      {"histogram", "", "model: how the numbers of --tensor, or of all tensors, are spread"},
      {"neighbors", "TOKEN", "model: the --top tokens with the nearest vectors; a text or id:N"},
      {"diff", "OTHER", "model: what differs from another model or file, tensor by tensor"},
      {"diagnostics", "",
       "model: what goes on inside, on --data: tables, gradients, logits, attention, layers"},
      {"data", "GLOB", "model: token shards for --diagnostics"},
      {"sequences", "N", "model: how many sequences of them (default 32)"}};
  return all;
}

int inspect_model(const Options& options, const std::string& path) {
  const std::vector<std::string> views = {"tensor", "neighbors", "diff", "diagnostics"};
  if (std::ranges::count_if(views, [&](const std::string& view) { return options.has(view); }) >
      1) {
    options.refuse("more than one thing to show", {.expected = "one of " + one_of(views)});
  }
  for (const char* const name : {"rows", "columns"}) {
    if (!options.has(name) || (options.has("tensor") && !options.has("histogram"))) continue;
    options.refuse("--" + std::string(name) + " needs --tensor NAME, and no --histogram");
  }
  for (const char* const name : {"data", "sequences"}) {
    if (!options.has(name) || options.has("diagnostics")) continue;
    options.refuse("--" + std::string(name) + " of what?", {.hint = "ask for --diagnostics"});
  }
  if (options.has("diagnostics")) return inspect_diagnostics(options, path);
  const ModelFile model = open_model(path, options.text("tokenizer", ""));
  if (options.has("diff")) return show_difference(options, model);
  if (options.has("tensor")) return show_tensor(options, model);
  if (options.has("neighbors")) return show_neighbors(options, model);
  return show_overview(options, model);
}

}  // namespace cria
