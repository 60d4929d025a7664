#include "cria/tensor/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "support/errors.h"

namespace cria {
namespace {

bool is_aligned(const void* memory) {
  return reinterpret_cast<uintptr_t>(memory) % static_cast<uintptr_t>(kAlignment) == 0;
}

TEST(AlignedBytes, AreAlignedAndZero) {
  for (const int64_t bytes : {0, 1, 64, 65, 1000}) {
    const AlignedBytes memory = allocate_aligned(bytes, "test");
    ASSERT_TRUE(memory);
    EXPECT_TRUE(is_aligned(memory.get()));
    EXPECT_TRUE(std::all_of(memory.get(), memory.get() + bytes,
                            [](std::byte byte) { return byte == std::byte{0}; }));
  }
}

// Also where the same memory was used before.
TEST(AlignedBytes, UntouchedAreZeroToo) {
  for (const int64_t bytes : {int64_t{100}, int64_t{5} << 20}) {
    for (int time = 0; time < 2; ++time) {
      const AlignedBytes memory = allocate_untouched(bytes, "test");
      EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.get()) % kAlignment, 0u);
      EXPECT_EQ(std::count(memory.get(), memory.get() + bytes, std::byte{0}), bytes);
      std::fill_n(memory.get(), bytes, std::byte{7});
    }
  }
}

TEST(AlignedBytes, TooMuchIsAnErrorThatSaysForWhat) {
  try {
    allocate_aligned(int64_t{1} << 60, "activations");
    FAIL() << "no machine has that much";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("activations"), std::string::npos);
  }
}

// One sweep of a carving: three arrays one behind the other, and one in the place of the first.
std::vector<Tensor> carve(Arena& arena) {
  std::vector<Tensor> views = {arena.take({3, 5}), arena.take({17}), arena.take({100})};
  arena.rewind();
  views.push_back(arena.take({2, 2, 2}));
  return views;
}

TEST(Arena, MeasuresThenCarves) {
  Arena arena;
  for (const Tensor& view : carve(arena)) EXPECT_EQ(view.data, nullptr);
  // 15, 17 and 100 floats, each on lines of its own: 64 + 128 + 448 bytes.
  EXPECT_EQ(arena.bytes(), 640);

  arena.allocate("test");
  std::vector<Tensor> views = carve(arena);
  EXPECT_EQ(views[0].to_string(), "[3, 5]");
  EXPECT_EQ(views[3].to_string(), "[2, 2, 2]");
  for (const Tensor& view : views) {
    EXPECT_TRUE(is_aligned(view.data));
    EXPECT_TRUE(std::all_of(view.data, view.data + view.size(), [](float x) { return x == 0; }));
  }
  EXPECT_EQ(views[1].data - views[0].data, 16);
  EXPECT_EQ(views[2].data - views[1].data, 32);
  EXPECT_EQ(views[3].data, views[0].data);
  EXPECT_EQ(arena.bytes(), 640);
}

TEST(Arena, RefusesMoreThanWasMeasured) {
  Arena arena;
  arena.take({16});
  arena.allocate("test");
  arena.take({16});
  EXPECT_THROW(arena.take({1}), Error);
}

TEST(Arena, CanBeCarvedAgain) {
  Arena arena;
  arena.take({16});
  arena.allocate("test");
  float* first = arena.take_floats(16);
  arena.rewind();
  EXPECT_EQ(arena.take_floats(16), first);
}

// Among them some whose number of bytes no int64 holds.
TEST(Arena, RefusesWhatNoMachineHolds) {
  Arena arena;
  constexpr int64_t kMany = int64_t{1} << 31;
  for (const auto& shape : {std::initializer_list<int64_t>{kMany, kMany},
                            {kMany, kMany, 4},
                            {kMany, kMany, kMany, kMany},
                            {-1},
                            {4, -2}}) {
    EXPECT_NE(error_of([&] { arena.take(shape); }), "");
  }
  EXPECT_EQ(arena.bytes(), 0);
}

}  // namespace
}  // namespace cria
