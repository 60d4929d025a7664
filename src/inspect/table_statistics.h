// The geometry of a table of vectors, one for each token: the embedding's rows, or the head's. All
// of it on all threads, in double, with sums in a fixed order; what is not finite gives NaN.
#pragma once

#include <vector>

#include "cria/tensor/tensor.h"
#include "inspect/frequency_deciles.h"

namespace cria {

struct TableStatistics {
  GroupMeans norms;             // of rows, by how often their tokens occur
  double mean_norm = 0;         // over all rows
  double mean_vector_norm = 0;  // the norm of the mean row
  // Mean over all pairs of different rows, from the norm of the sum of the unit rows: exact without
  // the pairs. Rows of zeros are left out.
  double mean_cosine = 0;
  // min Z(c) / max Z(c) with Z(c) = sum over rows w of exp(c.w), over the unit eigenvectors c of
  // W^T W and their negatives, as the sign of an eigenvector is nobody's choice; 1: the rows point
  // everywhere alike. Source: All-but-the-Top (Mu & Viswanath, 2018), section 2. centred: of the
  // rows less their mean.
  double isotropy = 0, isotropy_centred = 0;
  // exp of the entropy of the singular values over their sum: between 1 and min(V,C). Source: The
  // effective rank (Roy & Vetterli, 2007).
  double effective_rank = 0;
  // Of the sum of the squares of all singular values, what the largest have.
  double top_share = 0, top_ten_share = 0;
  std::vector<double> singular_values;  // the largest first, min(V,C) of them
  double centred_scatter = 0;           // Frobenius norm of W^T W of the rows less their mean

  bool operator==(const TableStatistics&) const = default;
};

// Norms [V] of the rows of table [V,C], whose rows are contiguous.
std::vector<double> row_norms(const ConstTensor& table);

// table [V,C], contiguous; deciles of V ids (Error naming both otherwise).
TableStatistics table_statistics(const ConstTensor& table, const FrequencyDeciles& deciles);

// How far two tables [V,C] of the same tokens agree.
struct TableAlignment {
  double cosine = 0;  // of the two rows of a token; mean over tokens
  // Linear CKA: |Y^T X|^2 / (|X^T X| |Y^T Y|), Frobenius norms, of the tables less their mean rows:
  // 1 when one is the other, turned and scaled. Source: Similarity of Neural Network
  // Representations Revisited (Kornblith et al., 2019).
  double linear_cka = 0;
  // The share of a token's nearest ten (by cosine, among all tokens) that are the same in both;
  // mean over the most frequent tokens, 256 of them at most.
  double shared_neighbors = 0;

  bool operator==(const TableAlignment&) const = default;
};

// scatter_a, scatter_b: centred_scatter of the two. Error naming the shapes unless both are
// contiguous and [V,C] for the deciles' V.
TableAlignment table_alignment(const ConstTensor& a, double scatter_a, const ConstTensor& b,
                               double scatter_b, const FrequencyDeciles& deciles);

}  // namespace cria
