#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/owner.hpp"
#include "strait/os/mapping.hpp"
#include "strait/result.hpp"

namespace strait::detail {

class Memory;

struct DropLease {
  void operator()(Memory* memory) const noexcept;
};

/// The right to use some memory, which is given up when this goes. On any thread.
using Lease = Owner<Memory, DropLease>;

/// What out-of-line messages lie in.
class Memory {
 public:
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::byte* data() const noexcept { return data_; }

  /// Makes these bytes of what `lease` stands for writable without any other process's seeing it;
  /// it may stand for another memory then, with the same bytes.
  ///
  /// Errors: the system's; `lease` is then as it was.
  virtual Result<void> make_writable([[maybe_unused]] Lease& lease,
                                     [[maybe_unused]] std::size_t offset,
                                     [[maybe_unused]] std::size_t bytes) {
    return {};
  }

  /// The same for all of one class, so that its maker recognizes it.
  virtual const void* kind() const noexcept = 0;

 protected:
  Memory() = default;
  ~Memory() = default;

  std::byte* data_ = nullptr;

 private:
  friend struct DropLease;
  virtual void drop() noexcept = 0;
};

inline void DropLease::operator()(Memory* memory) const noexcept { memory->drop(); }

/// Memory of this process alone.
class PrivateMemory final : public Memory {
 public:
  static Result<Lease> create(std::size_t size) {
    auto mapping = os::Mapping::anonymous(size);
    if (!mapping) return mapping.error();
    auto* memory = new (std::nothrow) PrivateMemory;
    if (memory == nullptr) return no_memory();
    memory->data_ = mapping->data();
    memory->mapping_ = std::move(*mapping);
    return Lease(memory);
  }

  const void* kind() const noexcept override { return nullptr; }

 private:
  void drop() noexcept override { delete this; }

  os::Mapping mapping_;
};

}  // namespace strait::detail
