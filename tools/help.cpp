// cria help: the commands, one of them, or all as a man page.
#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/error.h"

namespace cria {
namespace {

constexpr const char* kAbout =
    "Train a small LLaMA from scratch, on this machine's CPU, from one config file.";
constexpr const char* kExitCodes = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

void print_man_page() {
  std::printf(
      ".TH CRIA 1\n.SH NAME\ncria \\- trains small LLaMA\\-style decoders on the CPU\n"
      ".SH SYNOPSIS\n.B cria\nCOMMAND [ARGUMENTS]\n.SH DESCRIPTION\n%s\n"
      ".SH OPTIONS OF EVERY COMMAND\n",
      troff(kAbout).c_str());
  print_man(common_options());
  std::printf(".SH COMMANDS\n");
  for (const Command& command : commands()) command.run({"--help=man"});
  std::printf(".SH EXIT STATUS\n%s\n", troff(kExitCodes).c_str());
}

}  // namespace

void print_commands(std::FILE* out) {
  std::fprintf(out, "usage: cria COMMAND [ARGUMENTS]\n\n%s\n\ncommands:\n", kAbout);
  for (const Command& command : commands()) {
    std::fprintf(out, "  %-11s %s\n", command.name.c_str(), command.summary);
  }
  std::fprintf(
      out,
      "\n'cria COMMAND --help' explains a command; 'cria --version' tells version, kernels "
      "and threads.\n%s\n",
      kExitCodes);
}

int run_help(const Arguments& arguments) {
  Options options("help", "[COMMAND]", "What cria can do, or what COMMAND does.",
                  {{"man", "", "print a man page of all commands"}});
  if (!options.parse(arguments, 0, 1)) return 0;
  if (options.has("man")) {
    print_man_page();
  } else if (options.positional().empty()) {
    print_commands(stdout);
  } else {
    return find_command(options.positional().front()).run({"--help"});
  }
  return 0;
}

}  // namespace cria
