#include "cli/help.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <sstream>
#include <utility>

#include "base/unicode.h"
#include "cli/terminal.h"

namespace cria {
namespace {

// Words of text in lines of at most `width` columns, the first from column `at` on; the others are
// indented by `indent`.
std::string wrapped(const std::string& text, size_t at, size_t indent, size_t width) {
  std::string lines;
  std::istringstream words(text);
  bool begins = true;
  for (std::string word; words >> word;) {
    if (!begins && at + 1 + word.size() > width) {
      lines += "\n" + std::string(indent, ' ');
      at = indent;
    } else if (!begins) {
      lines += ' ';
      ++at;
    }
    lines += word;
    at += word.size();
    begins = false;
  }
  return lines;
}

// What is broken into lines, and what is not.
std::pair<std::string, std::string> parts_of(const std::string& description) {
  const size_t end = std::min(description.find("\n\n"), description.size());
  return {description.substr(0, end), description.substr(end)};
}

std::string typed(const Option& option) {
  return dashed(option.name) + (option.value.empty() ? "" : " " + option.value);
}

std::vector<Option> all_options(const Help& help) {
  std::vector<Option> all = help.options;
  all.insert(all.end(), common_options().begin(), common_options().end());
  return all;
}

void print_text(const Help& help) {
  constexpr size_t kMostColumns = 100, kColumn = 27, kNarrow = 60, kNarrowColumn = 6;
  const size_t width = std::min(terminal_width(stdout), kMostColumns);
  const size_t column = width < kNarrow ? kNarrowColumn : kColumn;
  const auto [description, verbatim] = parts_of(help.description);
  std::printf("usage: cria %s %s\n\n%s%s\n\noptions:\n", help.command.c_str(), help.usage.c_str(),
              wrapped(description, 0, 0, width).c_str(), verbatim.c_str());
  for (const Option& option : all_options(help)) {
    std::string left = "  " + typed(option);
    if (left.size() < column) {
      left.resize(column, ' ');
    } else {
      left += "\n" + std::string(column, ' ');
    }
    std::printf("%s%s\n", left.c_str(), wrapped(option.help, column, column, width).c_str());
  }
}

void print_section(const Help& help) {
  const auto [description, verbatim] = parts_of(help.description);
  std::printf(".SS cria %s %s\n%s\n", help.command.c_str(), troff(help.usage).c_str(),
              troff(description).c_str());
  if (!verbatim.empty()) std::printf(".PP\n.nf\n%s\n.fi\n", troff(verbatim.substr(2)).c_str());
  print_man(help.options);
}

void print_bash(const Help& help) {
  std::printf("    %s) words='", help.command.c_str());
  for (const Option& option : all_options(help)) std::printf(" %s", dashed(option.name).c_str());
  std::printf("' ;;\n");
}

// '--out[directory to write]:DIR:_files'
void print_zsh(const Help& help) {
  std::printf("    %s) _arguments", help.command.c_str());
  for (const Option& option : all_options(help)) {
    std::string text = option.help;
    for (const char c : {'[', ']', ':'}) std::ranges::replace(text, c, ' ');
    const std::string value = option.value.empty() ? "" : ":" + option.value + ":_files";
    std::printf(" \\\n      %s", shell_word((option.repeatable ? "*" : "") + dashed(option.name) +
                                            "[" + text + "]" + value)
                                     .c_str());
  }
  std::printf(" \\\n      '*:file:_files' ;;\n");
}

void print_fish(const Help& help) {
  for (const Option& option : all_options(help)) {
    const char* const kind = option.name.size() == 1 ? "-s" : "-l";
    std::printf("complete -c cria -n '__fish_seen_subcommand_from %s' %s %s%s -d %s\n",
                help.command.c_str(), kind, option.name.c_str(), option.value.empty() ? "" : " -r",
                shell_word(option.help).c_str());
  }
}

}  // namespace

std::string dashed(const std::string& name) {
  return (name.size() == 1 ? "-" : "--") + name;
}

const std::vector<Option>& common_options() {
  static const std::vector<Option> all = {
      {"threads", "N", "threads to use (default: all cores, or OMP_NUM_THREADS)"},
      {"no-verify", "", "read damaged files too: checksums are not compared"},
      {"help", "", "this text"}};
  return all;
}

bool print(const Help& help, const std::string& style) {
  static const std::map<std::string, void (*)(const Help&)> styles = {{"text", print_text},
                                                                      {"man", print_section},
                                                                      {"bash", print_bash},
                                                                      {"zsh", print_zsh},
                                                                      {"fish", print_fish}};
  const auto found = styles.find(style);
  if (found == styles.end()) return false;
  found->second(help);
  return true;
}

void print_man(const std::vector<Option>& options) {
  for (const Option& option : options) {
    std::printf(".TP\n.B %s\n%s\n", troff(typed(option)).c_str(), troff(option.help).c_str());
  }
}

std::string troff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    // A dot or a quote at the beginning of a line would be a command.
    const bool begins = out.empty() || out.back() == '\n';
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace cria
