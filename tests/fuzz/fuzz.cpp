// libFuzzer's entry points. FUZZ_TARGET names the target; without it the names of all are printed.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "fuzz/target.h"
#include "support/files.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace cria {
namespace {

namespace fs = std::filesystem;

// Inputs are read in it, with names that are always the same; libFuzzer's own paths are relative to
// the directory that it was started in.
class WorkingDirectory {
 public:
  WorkingDirectory() : home_(::open(".", O_RDONLY | O_DIRECTORY)) {
    if (home_ < 0) throw std::runtime_error("no directory to go back to");
  }
  ~WorkingDirectory() { ::close(home_); }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

  // Nothing of the last input is left there.
  void enter() {
    for (const std::string& name : directory_.names()) remove_all(directory_ / name);
    if (::chdir(directory_.path().c_str()) != 0) throw std::runtime_error("no working directory");
  }
  void leave() {
    if (::fchdir(home_) != 0) throw std::runtime_error("no directory to go back to");
  }

 private:
  TemporaryDirectory directory_;
  int home_;
};

const FuzzTarget& target() {
  static const FuzzTarget chosen = [] {
    const char* const name = std::getenv("FUZZ_TARGET");
    for (const auto& room :
         {text_targets(), tensor_targets(), tokenizer_targets(), run_targets()}) {
      for (const FuzzTarget& each : room) {
        if (name && name == std::string_view(each.name)) return each;
        if (!name) std::puts(each.name);
      }
    }
    if (name) std::fprintf(stderr, "no target %s\n", name);
    std::exit(name ? EXIT_FAILURE : EXIT_SUCCESS);
  }();
  return chosen;
}

FuzzParts parts_of(std::string_view bytes, size_t count) {
  FuzzParts parts;
  while (parts.size() + 1 < count) {
    const size_t end = bytes.find(kPartSeparator);
    parts.push_back(bytes.substr(0, end));
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + kPartSeparator.size());
  }
  parts.push_back(bytes);
  return parts;
}

void write_parts(const FuzzParts& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string_view name = target().parts[i];
    if (parts[i].empty() || name.find('.') == name.npos) continue;
    if (const size_t end = name.rfind('/'); end != name.npos) {
      fs::create_directories(name.substr(0, end));
    }
    write_input(name.data(), parts[i]);
  }
}

// What is shown to a person: lines of text that no terminal takes for commands.
void check_message(std::string_view message) {
  require(escape(message, "", "\n\t") == message, "an Error with what is no text");
}

void read_input(std::string_view bytes) {
  static WorkingDirectory directory;
  const FuzzParts parts = parts_of(bytes, target().parts.size());
  directory.enter();
  write_parts(parts);
  try {
    target().read(parts);
  } catch (const Error& error) {
    check_message(error.what());
  }
  directory.leave();
}

}  // namespace

void write_input(const char* name, std::string_view bytes) {
  const int file = ::open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  const bool written = ::write(file, bytes.data(), bytes.size()) == std::ssize(bytes);
  if (::close(file) != 0 || !written) throw std::runtime_error(std::string("cannot write ") + name);
}

size_t choice(std::string_view part, size_t bound) {
  size_t sum = part.size();
  for (const char byte : part.substr(0, 64)) sum = sum * 31 + static_cast<unsigned char>(byte);
  return sum % bound;
}

}  // namespace cria

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  cria::target();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cria::read_input({reinterpret_cast<const char*>(data), size});
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (!cria::target().repair || seed % 4 == 0) return size;
  const std::string repaired =
      cria::target().repair(std::string(reinterpret_cast<const char*>(data), size));
  if (repaired.size() > max_size) return size;
  std::copy(repaired.begin(), repaired.end(), data);
  return repaired.size();
}
