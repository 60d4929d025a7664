// How the documents of files are divided between training and validation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cria {

// What of a file's tokens trains; what follows validates.
struct FileSplit {
  struct Part {
    int64_t tokens = 0;
    int64_t bytes = 0;  // of text
    int64_t documents = 0;
  };
  Part train, val;
  bool cuts_document = false;  // its bytes are then all in train: the ids tell which are whose
};

// A share of the tokens of each file validates, from its end: whole documents of a file that has
// several, tokens of one that is a single document. What rounding gives too much or too little the
// next files of that kind make up for. The first document of a file trains; if nothing would
// validate, the last of the last file does. Memory is bounded, whatever the number of documents.
class FileSplitter {
 public:
  explicit FileSplitter(double val_fraction) : val_fraction_(val_fraction) {}

  void add_document(int64_t tokens, int64_t bytes);  // of the present file
  FileSplit end_file(bool is_last);                  // the next document is of another one

 private:
  static constexpr size_t kMostEnds = size_t{1} << 16;

  // Of all files of a kind so far.
  struct Sum {
    int64_t tokens = 0, train = 0;
  };

  double take_share(Sum& sum) const;
  FileSplit::Part nearest_end(double tokens) const;
  FileSplit::Part last_end_inside() const;

  double val_fraction_;
  FileSplit::Part all_;                // of the present file
  std::vector<FileSplit::Part> ends_;  // what is before the end of each stride_-th document in it
  int64_t stride_ = 1;
  Sum single_, several_;
};

}  // namespace cria
