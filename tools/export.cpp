// cria export: a model in the files of other programs.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/unicode.h"
#include "cli/chosen_model.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "exchange/export_formats.h"
#include "report/report_text.h"

namespace cria {
namespace {

// What --dtype chooses of what the format has.
NumberFormat dtype_of(const Options& options, const ExportFormat& format) {
  std::vector<std::string> names;
  for (const NumberFormat dtype : format.dtypes) names.push_back(folded(format_name(dtype)));
  const std::string chosen = options.choice("dtype", names);
  return format.dtypes[static_cast<size_t>(std::ranges::find(names, chosen) - names.begin())];
}

struct Written {
  std::string name;  // relative to the path; of a single file its own
  uint64_t bytes;
};

std::vector<Written> written_at(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) return {{fs::path(path).filename().string(), fs::file_size(path)}};
  std::vector<Written> all;
  for (const std::string& name : list_directory(path)) {
    all.push_back({name, fs::file_size(join_path(path, name))});
  }
  return all;
}

void report(const ExportFormat& format, const ExportRequest& request, bool as_json) {
  Json::Array files;
  uint64_t bytes = 0;
  for (const Written& file : written_at(request.path)) {
    files.push_back(Json::Object{{"name", file.name}, {"bytes", file.bytes}});
    bytes += file.bytes;
  }
  if (!as_json) {
    std::printf("%s: %zu file%s, %llu bytes, %s\n", request.path.c_str(), files.size(),
                files.size() == 1 ? "" : "s", static_cast<unsigned long long>(bytes),
                format_name(request.dtype));
    return;
  }
  const Json json = Json::Object{
      {"model", request.model.directory},    {"format", format.name}, {"path", request.path},
      {"dtype", format_name(request.dtype)}, {"bytes", bytes},        {"files", std::move(files)}};
  print_json(json);
}

std::string description() {
  std::string text =
      "MODEL (a checkpoint, a run, a Hugging Face directory, or a config: its initial weights) in "
      "the files\nof other programs.\n\n"
      "formats:";
  for (const ExportFormat& format : export_formats()) {
    std::string name = format.name;
    name.resize(std::max<size_t>(name.size() + 1, 10), ' ');
    text += "\n  " + name + format.what;
  }
  return text;
}

}  // namespace

int run_export(const Arguments& arguments) {
  std::vector<std::string> names;
  for (const ExportFormat& format : export_formats()) names.push_back(format.name);
  Options options("export", "MODEL --to FORMAT -o PATH", description(),
                  {{"to", "FORMAT", "one of the above"},
                   {"o", "PATH", "file or directory to write; must not exist yet"},
                   {"dtype", "NAME", "type of the numbers; all but f32 round (default f32)"},
                   {"version", "N", "llama2c: 0 (default, run.c), 1, or 2 (8-bit groups, runq.c)"},
                   {"tensor", "NAME", "tsv: the matrix (default: model.embed_tokens.weight)"},
                   {"json", "", "print what was written as JSON"}});
  if (!options.parse(arguments, 1, 1)) return 0;
  for (const char* const needed : {"to", "o"}) {
    if (options.has(needed)) continue;
    options.refuse("--to FORMAT and -o PATH are needed",
                   {.hint = "cria export MODEL --to hf -o PATH"});
  }
  const std::string name = options.choice("to", names);
  const ExportFormat& format = *std::ranges::find(export_formats(), name, &ExportFormat::name);
  if (options.has("tensor") && name != "tsv") options.refuse("--tensor is for --to tsv");
  if (options.has("version") && name != "llama2c") options.refuse("--version is for --to llama2c");
  const std::string path = options.text("o", "");
  require_nothing_at(path);
  const int version = static_cast<int>(options.integer("version", 0, 0, 2));
  const NumberFormat dtype = version == 2 ? NumberFormat::q8_0 : dtype_of(options, format);
  const LoadedModel model = load_model_or_config(options.positional().front());
  const ExportRequest request = {.model = model,
                                 .path = path,
                                 .dtype = dtype,
                                 .tensor = options.text("tensor", "model.embed_tokens.weight"),
                                 .version = version};
  format.write(request);
  tell_chosen_model(options.positional().front(), model);
  report(format, request, options.has("json"));
  return 0;
}

}  // namespace cria
