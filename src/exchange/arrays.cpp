#include "cria/exchange/arrays.h"

#include <array>
#include <span>
#include <vector>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/unicode.h"
#include "cria/io/npy.h"
#include "cria/io/npz.h"
#include "cria/io/projector.h"

namespace cria {
namespace {

std::vector<int64_t> shape_of(const Tensor& tensor) {
  return {tensor.shape.begin(), tensor.shape.begin() + tensor.rank};
}

std::span<const float> values_of(const Tensor& tensor) {
  return {tensor.data, static_cast<size_t>(tensor.size())};
}

const Tensor& find_matrix(const Llama& model, const std::string& name) {
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

void write_projector_directory(const std::string& path, const Llama& model,
                               const Tokenizer* tokenizer, const std::string& tensor) {
  constexpr const char* kVectors = "vectors.tsv";
  constexpr const char* kMetadata = "metadata.tsv";
  const Tensor& matrix = find_matrix(model, tensor);
  const bool of_tokens =
      tokenizer && (tensor == "model.embed_tokens.weight" || tensor == "lm_head.weight");
  AtomicDirectory directory(path);
  const auto file = [&](const char* name) { return join_path(directory.path(), name); };
  write_vectors_tsv(file(kVectors), matrix);
  if (of_tokens) {
    write_metadata_tsv(
        file(kMetadata), {"token", "id"}, matrix.rows(),
        [&](int64_t row) -> std::vector<std::string> {
          const bool known = row < tokenizer->vocab_size();
          return {known ? std::string(tokenizer->token(static_cast<int32_t>(row))) : "no token",
                  std::to_string(row)};
        });
  } else {
    write_metadata_tsv(
        file(kMetadata), {"row"}, matrix.rows(),
        [](int64_t row) -> std::vector<std::string> { return {std::to_string(row)}; });
  }
  const std::array<ProjectorEmbedding, 1> embedding = {{{.name = tensor,
                                                         .rows = matrix.rows(),
                                                         .columns = matrix.columns(),
                                                         .vectors_path = kVectors,
                                                         .metadata_path = kMetadata}}};
  write_file(file("projector_config.pbtxt"), projector_config(embedding));
  directory.commit();
}

}  // namespace cria
