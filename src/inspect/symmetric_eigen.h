// Eigenvalues and eigenvectors of a symmetric matrix, in double precision.
#pragma once

#include <cstdint>
#include <vector>

namespace cria {

struct SymmetricEigen {
  std::vector<double> values;   // [n], the largest first
  std::vector<double> vectors;  // [n,n]: row k is the unit vector that belongs to values[k]
};

// matrix [n,n], of which both halves are read. All NaN when a number of it is not finite.
// Householder's reduction to a tridiagonal matrix, then implicit QL steps. Source: Golub & Van
// Loan, Matrix Computations, 2013, sections 8.3.1 and 8.3.3.
SymmetricEigen symmetric_eigen(std::vector<double> matrix, int64_t n);

}  // namespace cria
