// The one exception cria throws for anything a user can cause or mend.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace cria {

// What a message needs besides the fact itself; empty parts are left out.
struct ErrorContext {
  std::string where = {};     // file, file:line:column, file at byte offset, or the operation
  std::string expected = {};  // what would have been right
  std::string got = {};       // what was found instead
  std::string hint = {};      // what to do
};

// Failed work: exit code 1. what() is the whole message, several lines when there is context:
//   where: summary
//     expected: ...
//     got: ...
//     hint: ...
// with what a terminal would take for a command escaped.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& summary, const ErrorContext& context = {});
};

// What work() returns. An Error of work that does not know its file gets the context's place in
// front and the rest behind.
template <class Work>
auto with_context(const ErrorContext& context, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw Error(error.what(), context);
  }
}

// Wrong usage of the command line: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Throws the Error of a failed system call, with errno's text as what was got.
[[noreturn]] void throw_system_error(const std::string& summary, const std::string& where,
                                     const std::string& hint = {},
                                     const std::string& expected = {});

// The candidate that name was probably meant to be, or "": the nearest by edit distance, unless
// more than a third of the name is wrong; else the shortest that begins with name. Capitals are as
// good as small letters and '-' as '_', dashes before a name do not count, and two letters in the
// wrong order are one slip.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

// "did you mean 'x'?", or "".
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

// "one of "a", "b"": the choices, for what was expected.
std::string one_of(std::span<const std::string> choices);

}  // namespace cria
