#include "prepare/file_split.h"

#include <algorithm>
#include <cmath>

namespace cria {

void FileSplitter::add_document(int64_t tokens, int64_t bytes) {
  all_ = {all_.tokens + tokens, all_.bytes + bytes, all_.documents + 1};
  if (all_.documents % stride_ != 0) return;
  ends_.push_back(all_);
  if (ends_.size() < kMostEnds) return;
  // Every other one is forgotten: what is left is as close to any place but for that.
  stride_ *= 2;
  std::erase_if(ends_, [&](const FileSplit::Part& end) { return end.documents % stride_ != 0; });
}

// How many tokens of the present file are to train, so that the share of all files of its kind is
// the one asked for.
double FileSplitter::take_share(Sum& sum) const {
  sum.tokens += all_.tokens;
  return static_cast<double>(sum.tokens) * (1.0 - val_fraction_) - static_cast<double>(sum.train);
}

FileSplit::Part FileSplitter::nearest_end(double tokens) const {
  return *std::ranges::min_element(ends_, {}, [&](const FileSplit::Part& end) {
    return std::abs(static_cast<double>(end.tokens) - tokens);
  });
}

FileSplit::Part FileSplitter::last_end_inside() const {
  return ends_.back().documents < all_.documents ? ends_.back() : ends_[ends_.size() - 2];
}

FileSplit FileSplitter::end_file(bool is_last) {
  FileSplit split;
  if (all_.documents == 1) {
    const auto train = static_cast<int64_t>(take_share(single_));
    single_.train += train;
    split.train = {train, all_.bytes, train > 0 ? 1 : 0};
    split.val = {all_.tokens - train, 0, train < all_.tokens ? 1 : 0};
    split.cuts_document = true;
  } else if (all_.documents > 1) {
    split.train = nearest_end(take_share(several_));
    several_.train += split.train.tokens;
    const bool all_trains = single_.train + several_.train == single_.tokens + several_.tokens;
    if (is_last && all_trains) split.train = last_end_inside();
    split.val = {all_.tokens - split.train.tokens, all_.bytes - split.train.bytes,
                 all_.documents - split.train.documents};
  }
  all_ = {};
  ends_.clear();
  stride_ = 1;
  return split;
}

}  // namespace cria
