#include "io/tfevents.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "io/crc.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

const std::string kVersion = from_hex(
    "18 00 00 00 00 00 00 00 a3 7f 4b 22 | 09 00 00 00 00 00 00 f0 3f 1a 0d 62 72 61 69 6e 2e 45 76"
    "65 6e 74 3a 32 | 86 bf 57 7a");
const std::string kScalar = from_hex(
    "1a 00 00 00 00 00 00 00 12 9b d8 2d | 09 00 00 00 00 00 00 00 40 10 07 2a 0d 0a 0b 0a 04 6c 6f"
    "73 73 15 00 00 00 3f | c3 3f c2 4a");
const std::string kText = from_hex(
    "3a 00 00 00 00 00 00 00 12 95 ea e2 | 09 00 00 00 00 00 00 08 40 10 07 2a 2d 0a 2b 0a 11 6e 6f"
    "74 65 2f 74 65 78 74 5f 73 75 6d 6d 61 72 79 4a 08 0a 06 0a 04 74 65 78 74 42 0c 08 07 12 04 "
    "12"
    "02 08 01 42 02 68 69 | bc e3 58 99");

std::string scalar(int64_t step, const std::string& tag = "loss", float value = 0.5f) {
  const std::vector<EventScalar> scalars = {{tag, value}};
  return scalars_event(step, 2.0, scalars);
}

// A record with right checksums around any data.
std::string record(const std::string& data) {
  const auto masked = [](const std::string& bytes) {
    const uint32_t crc = crc32c(bytes);
    return little_endian((crc >> 15 | crc << 17) + 0xa282ead8u, 4);
  };
  const std::string length = little_endian(data.size());
  return length + masked(length) + data + masked(data);
}

TEST(TfEvents, WritesTheKnownBytes) {
  EXPECT_EQ(version_event(1.0), kVersion);
  EXPECT_EQ(scalar(7), kScalar);
  EXPECT_EQ(text_event(7, 3.0, "note/text_summary", "hi"), kText);
  EXPECT_EQ(record(kScalar.substr(12, 26)), kScalar);
}

// A zero is a value, be it of the step, which is then left out, or of the scalar, which is not.
TEST(TfEvents, ScalarsOfAllKinds) {
  const std::vector<EventScalar> two = {{"a", 0.0f}, {"b", NAN}};
  const std::string bytes = scalars_event(0, 1.0, two);
  EXPECT_EQ(bytes.substr(12, 9 + 2 + 10 + 10),
            from_hex("09 00 00 00 00 00 00 f0 3f | 2a 14 | 0a 08 0a 01 61 15 00 00 00 00 | 0a 08 0a"
                     "01 62 15") +
                raw({std::numeric_limits<float>::quiet_NaN()}));
  for (const int64_t step : {int64_t{0}, int64_t{127}, int64_t{128}, INT64_MAX, int64_t{-1}}) {
    const auto records = scan_events(scalar(step), "f");
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0].step, step);
    EXPECT_EQ(records[0].wall_time, 2.0);
  }
}

TEST(TfEvents, RefusesWhatTensorBoardDoes) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double time : {double{NAN}, infinity, -1.0, 1e10}) {
    EXPECT_NE(error_of([&] { version_event(time); }).find("not a time"), std::string::npos);
  }
  EXPECT_NE(error_of([] { scalar(1, ""); }).find("not a tag"), std::string::npos);
  EXPECT_NE(error_of([] { text_event(1, 1, "\xff", "x"); }).find("not a tag"), std::string::npos);
  EXPECT_NE(text_event(1, 1, "t", "a\xff\xe4").find("a\uFFFD\uFFFD"), std::string::npos);
}

TEST(TfEvents, VerbatimTextIsIndented) {
  EXPECT_EQ(markdown_verbatim("a\n*b*"), "    a\n    *b*");
  EXPECT_EQ(markdown_verbatim(""), "    ");
}

TEST(TfEvents, ScansRecords) {
  const std::string bytes = kVersion + kScalar + kText;
  const auto records = scan_events(bytes, "f");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].file_version, "brain.Event:2");
  EXPECT_EQ(records[0].wall_time, 1.0);
  EXPECT_EQ(records[1].begin, 40u);
  EXPECT_EQ(records[1].end, 82u);
  EXPECT_EQ(records[2].step, 7);
  EXPECT_EQ(records[2].end, bytes.size());
  // A crash cuts anywhere; what is whole is there.
  for (size_t size = 0; size < bytes.size(); ++size) {
    const size_t whole = (size >= 40) + (size >= 82);
    EXPECT_EQ(scan_events(bytes.substr(0, size), "f").size(), whole) << size;
  }
}

TEST(TfEvents, SkipsWhatItDoesNotKnow) {
  const std::string data = from_hex(
      "20 05 | 31 00 00 00 00 00 00 00 00 | 3a 02 61 62 | 45 00 00 00 00 |"
      "fa 01 00 | 10 09");
  const auto records = scan_events(record(data), "f");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].step, 9);
  EXPECT_EQ(scan_events(record(""), "f").size(), 1u);
}

TEST(TfEvents, RefusesDamage) {
  const auto expect_error = [](const std::string& bytes, const std::string& fragment) {
    const std::string message = error_of([&] { scan_events(bytes, "f"); });
    EXPECT_TRUE(message.starts_with("f at byte ")) << message;
    EXPECT_NE(message.find(fragment), message.npos) << fragment << " in " << message;
  };
  for (size_t i = 0; i < kScalar.size(); ++i) {
    const std::string other(1, static_cast<char>(kScalar[i] ^ 1));
    expect_error(kVersion + patched(kScalar, i, other), "wrong checksum");
  }
  expect_error(std::string(12, '\0'), "byte 0: wrong checksum");
  expect_error(record("\x10"), "a varint");
  expect_error(record("\x10" + std::string(9, '\x80') + "\x02"), "more than 64 bits");
  expect_error(record("\x10" + std::string(10, '\x80')), "more than 64 bits");
  expect_error(record("\x09xyz"), "a field of eight bytes");
  expect_error(record("\x45xyz"), "expected: 4 bytes");
  expect_error(record("\x1a\x05xyz"), "expected: 5 bytes of a field");
  expect_error(record("\x1a" + std::string(9, '\xff') + "\x01xyz"), "a field");
  for (const char* field : {"\x23", "\x24", "\x26", "\x27"}) {
    expect_error(record(field), "not an event of TensorBoard");
  }
  expect_error(record(std::string("\x00\x00", 2)), "got: field 0 of type 0");
  expect_error(record("\x08\x01"), "got: field 1 of type 0");
  expect_error(record("\x12\x00"), "got: field 2 of type 2");
  expect_error(record("\x18\x01"), "got: field 3 of type 0");
}

class EventLogTest : public testing::Test {
 protected:
  std::string log(EventLog& log, int64_t step) const {
    const std::vector<EventScalar> scalars = {{"loss", static_cast<float>(step)}};
    log.scalars(step, 2.0, scalars);
    return scalars_event(step, 2.0, scalars);
  }

  TemporaryDirectory directory_;
  std::string runs_ = directory_ / "run/tensorboard";
};

TEST_F(EventLogTest, AppendsToANewFile) {
  EventLog events(runs_, 0, 1.0);
  const std::string name = events.path().substr(runs_.size() + 1);
  EXPECT_TRUE(name.starts_with("events.out.tfevents.0000000001.")) << name;
  EXPECT_TRUE(name.ends_with(".0")) << name;
  EXPECT_EQ(read_file(events.path()), kVersion);
  const std::string first = log(events, 1);
  EXPECT_EQ(read_file(events.path()), kVersion + first);
  events.text(7, 3.0, "note/text_summary", "hi");
  EXPECT_EQ(read_file(events.path()), kVersion + first + kText);
}

TEST_F(EventLogTest, ResumesWithoutDuplicates) {
  std::string path, kept;
  {
    EventLog events(runs_, 0, 1.0);
    path = events.path();
    kept = kVersion;
    for (const int64_t step : {1, 2}) kept += log(events, step);
    log(events, 3);
    log(events, 4);
  }
  const std::string all = read_file(path);
  EventLog(runs_, 4, 5.0);
  EXPECT_EQ(read_file(path), all);
  write_file(path, all.substr(0, all.size() - 3));
  EventLog resumed(runs_, 2, 9.0);
  EXPECT_EQ(resumed.path(), path);
  EXPECT_EQ(read_file(path), kept);
  const std::string third = log(resumed, 3);
  EXPECT_EQ(read_file(path), kept + third);
}

// A crash before the first record was whole; one of other files goes on being the last in name
// order.
TEST_F(EventLogTest, ResumesWhatIsThere) {
  make_directories(runs_);
  const std::string early = runs_ + "/events.out.tfevents.0000000001.h.1.0";
  const std::string late = runs_ + "/events.out.tfevents.0000000002.h.1.0";
  write_file(early, kVersion + kScalar);
  write_file(late, kVersion.substr(0, 20));
  write_file(runs_ + "/notes.txt", "not events");
  EventLog events(runs_, 3, 1.0);
  EXPECT_EQ(events.path(), late);
  EXPECT_EQ(read_file(early), kVersion);
  EXPECT_EQ(read_file(late), kVersion);
}

TEST_F(EventLogTest, RefusesAnotherFile) {
  make_directories(runs_);
  const std::string path = runs_ + "/events.out.tfevents.1";
  for (const std::string& bytes : {kScalar, record(from_hex("1a 01 78")), std::string(40, 'x')}) {
    write_file(path, bytes);
    EXPECT_TRUE(error_of([&] { EventLog(runs_, 0, 1.0); }).starts_with(path));
    EXPECT_EQ(read_file(path), bytes);
  }
}

// Damage inside right checksums, which would otherwise end nearly every trial, and outside of them.
TEST(TfEvents, DamagedFilesScanOrThrow) {
  const std::vector<std::string> data = {kVersion.substr(12, 24), kScalar.substr(12, 26),
                                         kText.substr(12, 58)};
  const std::vector<std::string> files = {kVersion + kScalar, kText + kScalar};
  Rng rng(1, "tfevents");
  int scanned = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string bytes =
        i % 4 == 0 ? mutated(files, rng) : kVersion + record(mutated(data, rng)) + kScalar;
    const std::string message = error_of([&] {
      for (const EventRecord& record : scan_events(bytes, "f")) {
        ASSERT_LE(record.end, bytes.size());
        ASSERT_LT(record.begin, record.end);
      }
      ++scanned;
    });
    ASSERT_TRUE(message.empty() || message.starts_with("f at byte ")) << message;
  }
  EXPECT_GT(scanned, 500);
  EXPECT_LT(scanned, 19500);
}

}  // namespace
}  // namespace cria
