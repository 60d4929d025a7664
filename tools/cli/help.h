// What a command says of itself, for a terminal, a man page and the completion of shells: one
// source for all of them.
#pragma once

#include <string>
#include <vector>

namespace cria {

struct Option {
  std::string name;   // without the dashes; of one letter: with one dash
  std::string value;  // what stands for its value in --help; "": a switch
  std::string help;
  bool repeatable = false;  // may be given several times; else once
};

// "--json", "-o": a name as it is typed.
std::string dashed(const std::string& name);

// What every command has besides its own.
const std::vector<Option>& common_options();

struct Help {
  std::string command;
  std::string usage;  // what follows the command's name
  // Lines are broken to fit; what follows an empty line stays as it is.
  std::string description;
  std::vector<Option> options;  // its own
};

// To standard output, as "text", as wide as the terminal, at most 100 columns; "man", a section of
// a man page; or "bash", "zsh" or "fish". False, and nothing, for another style.
bool print(const Help& help, const std::string& style);

// Options as troff, which a man page is written in.
void print_man(const std::vector<Option>& options);

// As troff takes it: no sign of it is a command.
std::string troff(const std::string& text);

}  // namespace cria
