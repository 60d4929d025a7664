// Checksums of files, which tell damage and mix-ups. They are no proof against an attacker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cria {

// 64 bits of any bytes, as 16 hexadecimal digits, whatever the number of threads. With
//   mix(h, w) = rotate_left((h xor w) * 0x100000001b3, 29)   (FNV's prime; for any h one to one in
//   w)
// each MiB is read as words of 8 bytes, little-endian, which go in turn to four lanes that begin at
// 1 to 4: lane = mix(lane, word). What is left of the last MiB, fewer than 32 bytes, begins a hash
// as FNV-1a; it takes up the lanes, hash = mix(hash, lane). The checksum begins at the number of
// bytes and takes up each MiB's hash. A change within any one word is always noticed.
std::string checksum(std::string_view bytes);

std::string hexadecimal(uint64_t number);  // 16 digits

// Whether checksums are compared when files are read: unless told otherwise, they are.
void verify_checksums(bool verify);
bool verifies_checksums();

// Error unless a file has that checksum. said_by: the file that says so.
void require_checksum(const std::string& path, const std::string& expected,
                      const std::string& said_by);

}  // namespace cria
