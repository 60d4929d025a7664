// Terminals for tests.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

namespace cria {

// A pseudo-terminal, and what was written to it.
class Terminal {
 public:
  explicit Terminal(unsigned short columns = 80) : master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) return;
    const int slave = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    if (slave < 0) return;
    termios settings{};
    ::tcgetattr(slave, &settings);
    settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);  // "\n" stays as it is
    ::tcsetattr(slave, TCSANOW, &settings);
    const winsize size = {.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(slave, TIOCSWINSZ, &size);
    file_ = ::fdopen(slave, "w");
  }
  ~Terminal() {
    if (file_) std::fclose(file_);
    if (master_ >= 0) ::close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::FILE* get() const { return file_; }

  // All of it; ends the terminal, since only its end says that nothing more is on the way.
  std::string text() {
    std::fclose(std::exchange(file_, nullptr));
    std::string all, part(4096, '\0');
    for (ssize_t count; (count = ::read(master_, part.data(), part.size())) > 0;) {
      all.append(part, 0, static_cast<size_t>(count));
    }
    return all;
  }

 private:
  int master_;
  std::FILE* file_ = nullptr;
};

}  // namespace cria
