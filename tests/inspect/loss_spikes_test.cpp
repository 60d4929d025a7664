// What counts as a spike, against losses made for it.
#include "inspect/loss_spikes.h"

#include <gtest/gtest.h>

#include <vector>

namespace cria {
namespace {

LossSpikes spikes_in(const std::vector<double>& losses) {
  LossSpikes spikes;
  for (const double loss : losses) spikes.add(loss);
  return spikes;
}

// 60 losses that fall from 8 to 2 and stay there.
std::vector<double> falling() {
  std::vector<double> losses(60, 2.0);
  for (size_t i = 0; i < 10; ++i) losses[i] = 8 - 0.6 * static_cast<double>(i);
  return losses;
}

TEST(LossSpikes, NoneInAFallingLoss) {
  const LossSpikes spikes = spikes_in(falling());
  EXPECT_EQ(spikes.count(), 0);
  EXPECT_EQ(spikes.highest(), 0);
  EXPECT_EQ(spikes.longest(), 0);
}

TEST(LossSpikes, CountedMeasuredAndTimed) {
  std::vector<double> losses = falling();
  for (const double loss : {2.3, 2.5, 6.0, 2.6, 2.1, 2.0, 3.0, 2.0}) losses.push_back(loss);
  const LossSpikes spikes = spikes_in(losses);
  EXPECT_EQ(spikes.count(), 2) << "2.5, 6.0, 2.6 and 3.0; 2.3 is noise";
  EXPECT_DOUBLE_EQ(spikes.highest(), 3.0);
  EXPECT_EQ(spikes.longest(), 3);
  EXPECT_EQ(spikes.steps(), 4);
}

// The level is that of the losses in no spike, however long one takes.
TEST(LossSpikes, ALossThatDoesNotComeBack) {
  std::vector<double> losses = falling();
  losses.insert(losses.end(), 200, 5.0);
  const LossSpikes spikes = spikes_in(losses);
  EXPECT_EQ(spikes.count(), 1);
  EXPECT_EQ(spikes.longest(), 200);
}

TEST(LossSpikes, NotJudgedBeforeThereIsALevel) {
  std::vector<double> losses(LossSpikes::kWindow - 1, 1.0);
  losses.push_back(100);
  EXPECT_EQ(spikes_in(losses).count(), 0);
  losses.push_back(100);
  EXPECT_EQ(spikes_in(losses).count(), 1);
}

}  // namespace
}  // namespace cria
