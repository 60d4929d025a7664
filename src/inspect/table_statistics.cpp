#include "inspect/table_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cria/kernels/kernels.h"
#include "inspect/symmetric_eigen.h"
#include "inspect/tensor_chunks.h"
#include "kernels/products.h"

namespace cria {
namespace {

using Doubles = std::vector<double>;

constexpr int64_t kTile = 32;

void require_table(const ConstTensor& table, const FrequencyDeciles& deciles) {
  if (table.rank != 2 || table.shape[0] != deciles.ids() || !table.is_contiguous()) {
    throw_shape_error("table statistics", "[" + std::to_string(deciles.ids()) + ", C], contiguous",
                      table.to_string());
  }
}

// [C]: the sum of weight(row) times the row, in chunks of rows.
template <class Weight>
Doubles weighted_sum(const ConstTensor& table, Weight&& weight) {
  const int64_t columns = table.shape[1];
  Doubles total(columns);
  for_each_chunk(
      table.shape[0], 1024,
      [&](int64_t first, int64_t count, int) {
        Doubles part(columns);
        for (int64_t row = first; row < first + count; ++row) {
          const double factor = weight(row);
          const float* const x = &table(row, 0);
          for (int64_t c = 0; c < columns; ++c) part[c] += factor * static_cast<double>(x[c]);
        }
        return part;
      },
      [&](const Doubles& part) {
        std::ranges::transform(total, part, total.begin(), std::plus<>());
      });
  return total;
}

Doubles mean_row(const ConstTensor& table) {
  Doubles mean = weighted_sum(table, [](int64_t) { return 1.0; });
  for (double& x : mean) x /= static_cast<double>(table.shape[0]);
  return mean;
}

double norm(const Doubles& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

// to[kTile] = row[first ..], with zeros beyond its end.
void widen(const float* row, int64_t first, int64_t columns, double* to) {
  const int64_t count = std::min(kTile, columns - first);
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<double>(row[first + i]);
  for (int64_t i = count; i < kTile; ++i) to[i] = 0;
}

// a^T b [A,B] of a [V,A] and b [V,B], tile by tile; of a table with itself, half of the tiles.
Doubles cross_product(const ConstTensor& a, const ConstTensor& b) {
  const int64_t rows = a.shape[0], left = a.shape[1], right = b.shape[1];
  const bool is_symmetric = a.data == b.data;
  Doubles product(left * right);
  const int64_t down = (left + kTile - 1) / kTile, across = (right + kTile - 1) / kTile;
  parallel_tasks(down * across, [&](int64_t task, int) {
    const int64_t top = task / across * kTile, side = task % across * kTile;
    if (is_symmetric && side < top) return;
    double sums[kTile][kTile] = {}, x[kTile], y[kTile];
    for (int64_t row = 0; row < rows; ++row) {
      widen(&a(row, 0), top, left, x);
      widen(&b(row, 0), side, right, y);
      for (int64_t i = 0; i < kTile; ++i) {
        for (int64_t j = 0; j < kTile; ++j) sums[i][j] += x[i] * y[j];
      }
    }
    for (int64_t i = top; i < std::min(top + kTile, left); ++i) {
      for (int64_t j = side; j < std::min(side + kTile, right); ++j) {
        product[i * right + j] = sums[i - top][j - side];
        if (is_symmetric) product[j * right + i] = sums[i - top][j - side];
      }
    }
  });
  return product;
}

// a^T b of the tables less their means: a^T b - V mean_a mean_b^T.
Doubles centred(Doubles product, int64_t rows, const Doubles& mean_a, const Doubles& mean_b) {
  for (size_t i = 0; i < mean_a.size(); ++i) {
    for (size_t j = 0; j < mean_b.size(); ++j) {
      product[i * mean_b.size() + j] -= static_cast<double>(rows) * mean_a[i] * mean_b[j];
    }
  }
  return product;
}

// W^T W, or W W^T where that is smaller: they have the same eigenvalues but for zeros. centred: of
// W less its mean row.
struct Gram {
  int64_t size;
  bool of_rows;  // W W^T
  Doubles products, centred_products;
};

// W W^T of the centred rows: less the means of rows and of columns, plus the mean of all.
void centre_both_ways(Doubles& matrix, int64_t n) {
  Doubles means(n);
  for (int64_t i = 0; i < n; ++i) {
    const auto row = matrix.begin() + i * n;
    means[i] = std::accumulate(row, row + n, 0.0) / static_cast<double>(n);
  }
  const double all = std::accumulate(means.begin(), means.end(), 0.0) / static_cast<double>(n);
  for (int64_t i = 0; i < n * n; ++i) matrix[i] += all - means[i / n] - means[i % n];
}

Gram gram_of(const ConstTensor& table, const Doubles& mean) {
  const int64_t rows = table.shape[0], columns = table.shape[1];
  if (rows >= columns) {
    Gram gram{columns, false, cross_product(table, table), {}};
    gram.centred_products = centred(gram.products, rows, mean, mean);
    return gram;
  }
  std::vector<float> turned(table.size());
  for (int64_t i = 0; i < table.size(); ++i) {
    turned[i % columns * rows + i / columns] = table.data[i];
  }
  const ConstTensor columns_of(turned.data(), {columns, rows});
  Gram gram{rows, true, cross_product(columns_of, columns_of), {}};
  gram.centred_products = gram.products;
  centre_both_ways(gram.centred_products, rows);
  return gram;
}

// min Z / max Z where add(k, plus, minus) adds exp(c_k.w) and exp(-c_k.w) of all rows.
double ratio_of(const Doubles& plus, const Doubles& minus) {
  const auto [least_plus, most_plus] = std::ranges::minmax(plus);
  const auto [least_minus, most_minus] = std::ranges::minmax(minus);
  return std::min(least_plus, least_minus) / std::max(most_plus, most_minus);
}

// The eigenvectors of W W^T are u; those of W^T W are then c = W^T u / s with s^2 the eigenvalue,
// so that c.w_i = s u_i, and the others, orthogonal to all rows, have Z = V.
double isotropy_of_rows(const SymmetricEigen& eigen, int64_t rows, int64_t columns) {
  Doubles plus(rows), minus(rows);
  for (int64_t k = 0; k < rows; ++k) {
    const double s = std::sqrt(std::max(0.0, eigen.values[k]));
    for (int64_t i = 0; i < rows; ++i) {
      plus[k] += std::exp(s * eigen.vectors[k * rows + i]);
      minus[k] += std::exp(-s * eigen.vectors[k * rows + i]);
    }
  }
  if (columns > rows) plus.push_back(static_cast<double>(rows));
  if (columns > rows) minus.push_back(static_cast<double>(rows));
  return ratio_of(plus, minus);
}

// c.w less c.origin of all rows by a product of the kernels, in chunks of rows.
double isotropy_of_columns(const SymmetricEigen& eigen, const ConstTensor& table,
                           const Doubles& origin) {
  constexpr int64_t kRows = 1024, kColumns = 16;
  const int64_t columns = table.shape[1];
  reserve_kernel_memory();
  const std::vector<float> vectors(eigen.vectors.begin(), eigen.vectors.end());
  std::vector<float> products(kRows * columns);
  Doubles shift(columns), plus(columns), minus(columns);
  for (int64_t k = 0; k < columns; ++k) {
    const auto vector = eigen.vectors.begin() + k * columns;
    shift[k] = std::inner_product(origin.begin(), origin.end(), vector, 0.0);
  }
  for (int64_t first = 0; first < table.shape[0]; first += kRows) {
    const int64_t count = std::min(kRows, table.shape[0] - first);
    const Tensor chunk(products.data(), {count, columns});
    kernels().gemm(weight_product(table.narrow(0, first, count),
                                  ConstTensor(vectors.data(), {columns, columns}), chunk,
                                  Precision::fp32));
    parallel_for(columns, kColumns, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = 0; row < count; ++row) {
        for (int64_t k = begin; k < end; ++k) {
          const double e = std::exp(static_cast<double>(chunk(row, k)) - shift[k]);
          plus[k] += e;
          minus[k] += 1 / e;
        }
      }
    });
  }
  return ratio_of(plus, minus);
}

double top_share(const Doubles& values, size_t top) {
  const auto end = values.begin() + static_cast<int64_t>(std::min(top, values.size()));
  return std::accumulate(values.begin(), end, 0.0) /
         std::accumulate(values.begin(), values.end(), 0.0);
}

double effective_rank(const Doubles& singular) {
  const double total = std::accumulate(singular.begin(), singular.end(), 0.0);
  double entropy = 0;
  for (const double s : singular) {
    if (s != 0) entropy -= s / total * std::log(s / total);
  }
  return total > 0 ? std::exp(entropy) : std::numeric_limits<double>::quiet_NaN();
}

// The `top` rows with the largest product with `wanted`, over their own norms; `self` left out and
// rows without a direction. In ascending order of rows.
std::vector<int32_t> nearest_to(std::span<const float> products, const Doubles& norms, int32_t self,
                                size_t top) {
  std::vector<std::pair<double, int32_t>> best;  // the nearest first, of equals the lowest
  for (int32_t row = 0; row < std::ssize(norms); ++row) {
    if (row == self || !(norms[row] > 0)) continue;
    const double cosine = static_cast<double>(products[row]) / norms[row];
    if (best.size() == top && cosine <= best.back().first) continue;
    if (best.size() == top) best.pop_back();
    const auto place = std::ranges::find_if(best, [&](const auto& b) { return b.first < cosine; });
    best.insert(place, {cosine, row});
  }
  std::vector<int32_t> rows;
  for (const auto& [cosine, row] : best) rows.push_back(row);
  std::ranges::sort(rows);
  return rows;
}

// Of each query, by cosine.
std::vector<std::vector<int32_t>> neighbors(const ConstTensor& table, const Doubles& norms,
                                            std::span<const int32_t> queries, size_t top) {
  const int64_t rows = table.shape[0], columns = table.shape[1];
  constexpr int64_t kProducts = 4 << 20;  // in memory at once
  const int64_t most = std::max<int64_t>(16, kProducts / rows);
  reserve_kernel_memory();
  std::vector<float> wanted(most * columns), products(most * rows);
  std::vector<std::vector<int32_t>> nearest;
  for (int64_t first = 0; first < std::ssize(queries); first += most) {
    const int64_t count = std::min(most, std::ssize(queries) - first);
    for (int64_t q = 0; q < count; ++q) {
      std::copy_n(&table(queries[first + q], 0), columns, wanted.data() + q * columns);
    }
    kernels().gemm(weight_product(ConstTensor(wanted.data(), {count, columns}), table,
                                  Tensor(products.data(), {count, rows}), Precision::fp32));
    for_each_chunk(
        count, 1,
        [&](int64_t q, int64_t, int) {
          const auto of_query = std::span(products).subspan(q * rows, rows);
          return nearest_to(of_query, norms, queries[first + q], top);
        },
        [&](const std::vector<int32_t>& found) { nearest.push_back(found); });
  }
  return nearest;
}

double shared_neighbors(const ConstTensor& a, const ConstTensor& b, const Doubles& norms_a,
                        const Doubles& norms_b, const FrequencyDeciles& deciles) {
  constexpr size_t kMostQueries = 256, kNeighbors = 10;
  const size_t queries = std::min(kMostQueries, deciles.ranked().size());
  const size_t top = std::min(kNeighbors, static_cast<size_t>(a.shape[0] - 1));
  const std::span<const int32_t> ids(deciles.ranked().data(), queries);
  const auto near_a = neighbors(a, norms_a, ids, top), near_b = neighbors(b, norms_b, ids, top);
  std::vector<int32_t> both;
  for (size_t q = 0; q < queries; ++q) {
    std::ranges::set_intersection(near_a[q], near_b[q], std::back_inserter(both));
  }
  return static_cast<double>(both.size()) / static_cast<double>(queries * top);
}

}  // namespace

std::vector<double> row_norms(const ConstTensor& table) {
  Doubles norms(table.shape[0]);
  parallel_for(table.shape[0], 64, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const x = &table(row, 0);
      norms[row] = std::sqrt(dot(x, x, table.shape[1]));
    }
  });
  return norms;
}

TableStatistics table_statistics(const ConstTensor& table, const FrequencyDeciles& deciles) {
  require_table(table, deciles);
  const int64_t rows = table.shape[0], columns = table.shape[1];
  const Doubles norms = row_norms(table), mean = mean_row(table);
  TableStatistics result;
  double pointing = 0;  // rows that have a direction
  for (int64_t row = 0; row < rows; ++row) {
    result.norms.add(deciles.group(row), norms[row]);
    result.mean_norm += norms[row] / static_cast<double>(rows);
    pointing += norms[row] != 0;
  }
  result.mean_vector_norm = norm(mean);
  const double unit_sum =
      norm(weighted_sum(table, [&](int64_t r) { return norms[r] != 0 ? 1 / norms[r] : 0; }));
  result.mean_cosine = (unit_sum * unit_sum - pointing) / (pointing * (pointing - 1));
  const Gram gram = gram_of(table, mean);
  std::vector<SymmetricEigen> eigens;
  for_each_chunk(
      2, 1,
      [&](int64_t i, int64_t, int) {
        return symmetric_eigen(i == 0 ? gram.products : gram.centred_products, gram.size);
      },
      [&](const SymmetricEigen& eigen) { eigens.push_back(eigen); });
  for (const double square : eigens[0].values) {
    result.singular_values.push_back(std::sqrt(std::max(0.0, square)));
  }
  result.effective_rank = effective_rank(result.singular_values);
  result.top_share = top_share(eigens[0].values, 1);
  result.top_ten_share = top_share(eigens[0].values, 10);
  result.centred_scatter = norm(eigens[1].values);
  const auto isotropy = [&](const SymmetricEigen& eigen, const Doubles& origin) {
    return gram.of_rows ? isotropy_of_rows(eigen, rows, columns)
                        : isotropy_of_columns(eigen, table, origin);
  };
  result.isotropy = isotropy(eigens[0], Doubles(columns));
  result.isotropy_centred = isotropy(eigens[1], mean);
  return result;
}

TableAlignment table_alignment(const ConstTensor& a, double scatter_a, const ConstTensor& b,
                               double scatter_b, const FrequencyDeciles& deciles) {
  require_table(a, deciles);
  require_table(b, deciles);
  const int64_t rows = a.shape[0], columns = a.shape[1];
  if (b.shape[1] != columns) throw_shape_error("table alignment", a.to_string(), b.to_string());
  TableAlignment result;
  const Doubles norms_a = row_norms(a), norms_b = row_norms(b);
  double pointing = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const double both = norms_a[row] * norms_b[row];
    if (both == 0) continue;
    result.cosine += dot(&a(row, 0), &b(row, 0), columns) / both;
    ++pointing;
  }
  result.cosine /= pointing;
  const double across = norm(centred(cross_product(a, b), rows, mean_row(a), mean_row(b)));
  result.linear_cka = across * across / (scatter_a * scatter_b);
  result.shared_neighbors = shared_neighbors(a, b, norms_a, norms_b, deciles);
  return result;
}

}  // namespace cria
