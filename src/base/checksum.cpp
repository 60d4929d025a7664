#include "base/checksum.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <vector>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/parallel.h"
#include "cria/base/rng.h"

namespace cria {
namespace {

constexpr size_t kPart = size_t{1} << 20;

std::atomic<bool> verifying{true};

uint64_t mix(uint64_t hash, uint64_t word) {
  return std::rotl((hash ^ word) * 0x100000001b3u, 29);
}

uint64_t hash_of_part(std::string_view bytes) {
  std::array<uint64_t, 4> lanes = {1, 2, 3, 4};
  while (bytes.size() >= sizeof lanes) {
    std::array<uint64_t, 4> words;
    std::memcpy(words.data(), bytes.data(), sizeof words);
    for (size_t i = 0; i < lanes.size(); ++i) lanes[i] = mix(lanes[i], words[i]);
    bytes.remove_prefix(sizeof words);
  }
  uint64_t hash = fnv1a(bytes);
  for (const uint64_t lane : lanes) hash = mix(hash, lane);
  return hash;
}

}  // namespace

std::string checksum(std::string_view bytes) {
  std::vector<uint64_t> parts((bytes.size() + kPart - 1) / kPart);
  parallel_for(static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      parts[i] = hash_of_part(bytes.substr(i * kPart, kPart));
    }
  });
  uint64_t hash = bytes.size();
  for (const uint64_t part : parts) hash = mix(hash, part);
  return hexadecimal(hash);
}

std::string hexadecimal(uint64_t number) {
  std::string digits(16, '0');
  for (size_t i = digits.size(); i-- > 0; number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
  return digits;
}

void verify_checksums(bool verify) {
  verifying = verify;
}

bool verifies_checksums() {
  return verifying;
}

void require_checksum(const std::string& path, const std::string& expected,
                      const std::string& said_by) {
  const std::string found = checksum(MappedFile(path).bytes());
  if (found == expected) return;
  throw Error("not the file that was written",
              {.where = path,
               .expected = "the checksum " + expected + ", as " + said_by + " says",
               .got = found,
               .hint = "it is damaged or of another time: take a whole copy, or read it as it is "
                       "with --no-verify"});
}

}  // namespace cria
