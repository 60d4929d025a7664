// cria report: runs, experiments and models as one page to look at.
#include "report/report.h"

#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/file.h"
#include "report/position_sections.h"

namespace cria {

int run_report(const Arguments& arguments) {
  Options options(
      "report", "DIR... -o FILE.html",
      "Write one page of charts and tables about runs (directories of 'cria train'), experiments "
      "(of 'cria experiment') and models: an HTML file that a browser opens without a network. "
      "Runs whose configs differ in the seed only are shown as one, with a band. Of a model, and "
      "of a run that is the only one, the page has maps of the tokens' vectors; with --text also "
      "what the model makes of a text.",
      {{"o", "FILE", "the page to write (default report.html)"},
       {"positions", "", "what position encodings do: all of them, or, with a MODEL, its own"},
       {"text", "TEXT", "what the one DIR, a model or a run, reads: losses, attention, layers"}});
  if (!options.parse(arguments)) return 0;
  const bool is_about_positions = options.has("positions");
  options.require_positional(is_about_positions ? 0 : 1, is_about_positions ? 1 : 1000);
  const std::string path = options.text("o", "report.html");
  const Arguments& paths = options.positional();
  std::optional<std::string> text;
  if (options.has("text")) {
    text = options.utf8("text", "");
    if (paths.size() != 1) {
      options.refuse("--text needs one model",
                     {.expected = "one DIR", .got = std::to_string(paths.size())});
    }
  }
  write_file(path, !is_about_positions ? make_report(paths, text)
                   : paths.empty()     ? make_position_report()
                                       : make_position_report(paths.front(), text));
  std::printf("%s\n", path.c_str());
  return 0;
}

}  // namespace cria
