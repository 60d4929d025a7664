// llama2.c's model files: version 0 (fp32, no magic number), 1 (fp32) and 2 (8-bit groups, "Q8_0").
// The format says nothing of theta, epsilon and biases: its programs take 10000, 1e-5 and none.
// Rows of query and key are in Meta's order, in which neighbours are rotated as a pair.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/file.h"

namespace cria {

struct Llama2cHeader {
  int version = 0;  // 0, 1, 2
  int64_t dim = 0;  // C; a head has dim / heads
  int64_t hidden_dim = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t vocab_size = 0;
  int64_t sequence_length = 0;
  bool tied = true;        // the head is the embedding, and not in the file
  int64_t group_size = 0;  // version 2: weights that share a scale; 0 for the others
};

// The roles in the order of version 0; `head` is there only when it is not tied.
enum class Llama2cRole {
  embedding,       // [vocab_size, dim]
  attention_norm,  // [dim]
  query,           // [dim, dim]
  key,             // [kv_heads * head size, dim]
  value,           // as key
  output,          // [dim, dim]
  mlp_norm,        // [dim]
  gate,            // w1, [hidden_dim, dim]
  down,            // w2, [dim, hidden_dim]
  up,              // w3, [hidden_dim, dim]
  final_norm,      // [dim]
  head,            // [vocab_size, dim]
};

struct Llama2cTensor {
  Llama2cRole role;
  int64_t layer;          // 0 where there is but one
  int64_t rows, columns;  // [out, in]; a norm is one row
  bool quantized;
  uint64_t offset;  // in the file

  int64_t size() const { return rows * columns; }
  std::string name() const;  // "wq of layer 3"
};

bool is_norm(Llama2cRole role);

// Whether a file begins as one of these, of which version 0 has no magic number: seven numbers that
// a model can have.
bool is_llama2c(std::string_view file);

// What a file of this header holds, in the order of the file. Error naming `where` and the value
// when the format or its programs cannot have it: everything positive, dim a multiple of heads and
// heads of kv_heads, an even head size, a group size that divides dim and hidden_dim.
std::vector<Llama2cTensor> llama2c_tensors(const Llama2cHeader& header, const std::string& where);

// The group size to write: wanted, which is 1 to 4096, halved until it divides dim and hidden_dim.
int64_t llama2c_group_size(int64_t wanted, int64_t dim, int64_t hidden_dim);

// A file opened for reading, mapped; the header is checked, and the size to the byte.
class Llama2cFile {
 public:
  explicit Llama2cFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const Llama2cHeader& header() const { return header_; }
  const std::vector<Llama2cTensor>& tensors() const { return tensors_; }
  std::string_view bytes(const Llama2cTensor& tensor) const;  // one of tensors(), as stored
  // Elements first to first + out.size() of one of tensors(), row-major, as fp32.
  void read(const Llama2cTensor& tensor, int64_t first, std::span<float> out) const;

 private:
  MappedFile file_;
  Llama2cHeader header_;
  std::vector<Llama2cTensor> tensors_;
};

// Gives a tensor's elements, row-major; they must stay until the next call.
using Llama2cSource = std::function<std::span<const float>(const Llama2cTensor&)>;

// Writes a file, asking for each tensor once, when its turn comes. Version 2 rounds to the nearest,
// halves to even, as llama2.c's exporter does. Atomic. Error as of llama2c_tensors, when a tensor
// has another size than its shape, and when version 2 shall hold what is not finite.
void write_llama2c(const std::string& path, const Llama2cHeader& header,
                   const Llama2cSource& source);

}  // namespace cria
