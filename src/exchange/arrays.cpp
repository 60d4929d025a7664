#include "exchange/arrays.h"

#include <span>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/projector.h"

namespace cria {
namespace {

std::vector<int64_t> shape_of(const ConstTensor& tensor) {
  return {tensor.shape.begin(), tensor.shape.begin() + tensor.rank};
}

std::span<const float> values_of(const ConstTensor& tensor) {
  return {tensor.data, static_cast<size_t>(tensor.size())};
}

const ConstTensor& find_matrix(const Llama& model, const std::string& name) {
  std::vector<std::string> matrices;
  for (const Parameter& slot : model.parameters().slots()) {
    if (slot.value.rank == 2) matrices.push_back(slot.name);
  }
  const Parameter* const found = model.parameters().find(name);
  if (found && found->value.rank == 2) return found->value;
  throw Error(found ? "not a matrix" : "no such tensor",
              {.where = "tensor " + quote(name),
               .expected = "a matrix, such as " + matrices.front(),
               .got = found ? found->value.to_string() : "",
               .hint = did_you_mean(name, matrices)});
}

}  // namespace

void write_npy_directory(const std::string& path, const Llama& model) {
  AtomicDirectory directory(path);
  for (const Parameter& slot : model.parameters().slots()) {
    write_npy(join_path(directory.path(), slot.name + ".npy"), shape_of(slot.value),
              values_of(slot.value));
  }
  directory.commit();
}

void write_npz(const std::string& path, const Llama& model) {
  NpzWriter file(path);
  for (const Parameter& slot : model.parameters().slots()) {
    file.add(slot.name, shape_of(slot.value), values_of(slot.value));
  }
  file.commit();
}

void write_projector(const std::string& directory, const std::string& folder,
                     const std::string& name, const ConstTensor& matrix, const Tokenizer* tokens) {
  const auto inside = [&](const char* file) { return folder.empty() ? file : folder + "/" + file; };
  const std::string vectors = inside("vectors.tsv"), metadata = inside("metadata.tsv");
  make_directories(join_path(directory, folder));
  write_vectors_tsv(join_path(directory, vectors), matrix);
  std::string labels = tokens ? metadata_line({"token", "id"}) : "";
  for (int64_t row = 0; row < matrix.rows(); ++row) {
    const std::string number = std::to_string(row);
    const bool known = tokens && row < tokens->vocab_size();
    const std::string token =
        known ? std::string(tokens->token(static_cast<int32_t>(row))) : "no token";
    labels += tokens ? metadata_line({token, number}) : metadata_line({number});
  }
  write_file(join_path(directory, metadata), labels);
  write_file(join_path(directory, "projector_config.pbtxt"),
             projector_config(name, matrix, vectors, metadata));
}

void write_projector_directory(const std::string& path, const Llama& model,
                               const Tokenizer* tokenizer, const std::string& tensor) {
  const ConstTensor& matrix = find_matrix(model, tensor);
  const bool of_tokens = tensor == "model.embed_tokens.weight" || tensor == "lm_head.weight";
  AtomicDirectory directory(path);
  write_projector(directory.path(), "", tensor, matrix, of_tokens ? tokenizer : nullptr);
  directory.commit();
}

}  // namespace cria
