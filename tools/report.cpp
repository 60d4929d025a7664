// cria report: runs and experiments as one page to look at.
#include "report/report.h"

#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/file.h"

namespace cria {

int run_report(const Arguments& arguments) {
  Options options(
      "report", "DIR... -o FILE.html",
      "Write one page of charts and tables about runs (directories of 'cria train') and "
      "experiments\n(of 'cria experiment'): an HTML file that a browser opens without a "
      "network. Runs whose\nconfigs differ in the seed only are shown as one, with a "
      "band.",
      {{"o", "FILE", "the page to write (default report.html)"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, 1000);
  const std::string path = options.text("o", "report.html");
  write_file(path, make_report(options.positional()));
  std::printf("%s\n", path.c_str());
  return 0;
}

}  // namespace cria
