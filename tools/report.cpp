// cria report: runs and experiments as one page to look at.
#include "report/report.h"

#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "report/position_sections.h"

namespace cria {

int run_report(const Arguments& arguments) {
  Options options(
      "report", "DIR... -o FILE.html",
      "Write one page of charts and tables about runs (directories of 'cria train') and "
      "experiments\n(of 'cria experiment'): an HTML file that a browser opens without a "
      "network. Runs whose\nconfigs differ in the seed only are shown as one, with a "
      "band.",
      {{"o", "FILE", "the page to write (default report.html)"},
       {"positions", "", "what position encodings do: all of them, or, with a MODEL, its own"},
       {"text", "TEXT", "with --positions MODEL: token + position = input for this text"}});
  if (!options.parse(arguments)) return 0;
  const bool is_about_positions = options.has("positions");
  options.require_positional(is_about_positions ? 0 : 1, is_about_positions ? 1 : 1000);
  const std::string path = options.text("o", "report.html");
  const Arguments& paths = options.positional();
  const std::string text = options.utf8("text", "");
  if (options.has("text") && (!is_about_positions || paths.empty())) {
    throw UsageError("--text is read by a model",
                     {.where = "cria report", .hint = "--positions MODEL --text 'I love LLMs'"});
  }
  write_file(path, !is_about_positions ? make_report(paths)
                   : paths.empty()     ? make_position_report()
                                       : make_position_report(paths.front(), text));
  std::printf("%s\n", path.c_str());
  return 0;
}

}  // namespace cria
