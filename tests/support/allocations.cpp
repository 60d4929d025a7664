#include "support/allocations.h"

#include <errno.h>
#include <stdlib.h>

#include <atomic>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CRIA_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CRIA_OWN_MALLOC 0
#endif
#endif
#ifndef CRIA_OWN_MALLOC
#ifdef __GLIBC__
#define CRIA_OWN_MALLOC 1
#else
#define CRIA_OWN_MALLOC 0
#endif
#endif

namespace cria {
namespace {

std::atomic<int64_t> count{0};

}  // namespace

bool allocations_are_counted() {
  return CRIA_OWN_MALLOC;
}
int64_t allocations() {
  return count;
}

}  // namespace cria

#if CRIA_OWN_MALLOC

// glibc lets a program define malloc and keeps its own under these names; free() stays as it is,
// since the memory is still glibc's.
extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) noexcept {
  ++cria::count;
  return __libc_malloc(size);
}

void* calloc(size_t items, size_t size) noexcept {
  ++cria::count;
  return __libc_calloc(items, size);
}

void* realloc(void* memory, size_t size) noexcept {
  ++cria::count;
  return __libc_realloc(memory, size);
}

void* memalign(size_t alignment, size_t size) noexcept {
  ++cria::count;
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) noexcept {
  ++cria::count;
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
  ++cria::count;
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

}  // extern "C"

#endif
