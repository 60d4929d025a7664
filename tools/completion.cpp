// cria completion: what a shell needs to complete commands and their options.
#include <cstdio>
#include <string>

#include "base/unicode.h"
#include "cli/commands.h"
#include "cli/options.h"

namespace cria {
namespace {

std::string names() {
  std::string all;
  for (const Command& command : commands()) all += (all.empty() ? "" : " ") + command.name;
  return all;
}

void print_options(const std::string& shell) {
  for (const Command& command : commands()) command.run({"--help=" + shell});
}

void print_bash() {
  std::printf(
      "_cria() {\n  local words='' word=${COMP_WORDS[COMP_CWORD]}\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
      "    COMPREPLY=($(compgen -W '%s --version --help' -- \"$word\"))\n    return\n  fi\n"
      "  case ${COMP_WORDS[1]} in\n    help) words='%s' ;;\n"
      "    completion) words='bash zsh fish' ;;\n  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "  case $word in -*) ;; *) return ;; esac\n  case ${COMP_WORDS[1]} in\n",
      names().c_str(), names().c_str());
  print_options("bash");
  std::printf(
      "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
      "complete -o default -F _cria cria\n");
}

void print_zsh() {
  std::printf(
      "#compdef cria\n_cria() {\n  if (( CURRENT == 2 )); then\n"
      "    local -a commands=(\n");
  for (const Command& command : commands()) {
    std::printf("      %s\n", shell_word(command.name + ":" + command.summary).c_str());
  }
  std::printf(
      "    )\n    _describe command commands\n    return\n  fi\n"
      "  local command=${words[2]}\n  shift words\n  (( CURRENT-- ))\n  case $command in\n");
  print_options("zsh");
  std::printf("  esac\n}\ncompdef _cria cria\n");
}

void print_fish() {
  for (const Command& command : commands()) {
    std::printf("complete -c cria -n __fish_use_subcommand -a %s -d %s\n", command.name.c_str(),
                shell_word(command.summary).c_str());
  }
  print_options("fish");
}

}  // namespace

int run_completion(const Arguments& arguments) {
  Options options(
      "completion", "SHELL",
      "A script that completes commands and options in SHELL: bash, zsh or fish. For bash, "
      "in ~/.bashrc: "
      "source <(cria completion bash).",
      {});
  if (!options.parse(arguments, 1, 1)) return 0;
  const std::string& shell = options.positional().front();
  if (shell == "bash") {
    print_bash();
  } else if (shell == "zsh") {
    print_zsh();
  } else if (shell == "fish") {
    print_fish();
  } else {
    options.refuse("unknown shell '" + shell + "'", {.expected = "bash, zsh or fish"});
  }
  return 0;
}

}  // namespace cria
