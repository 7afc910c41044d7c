#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/error.hpp"
#include "strait/mach/loan_count.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/mapping.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// The page in which the receiver of one link says what it has given back of memory that others
/// read, too: the only memory of such a loan that it can write.
///
/// Threads: any.
class LoanReturns {
 public:
  /// How many segments a receiver has at the most.
  static constexpr std::size_t places = 32;

  struct Release {
    void operator()(LoanReturns* returns) const noexcept { returns->release(); }
  };
  using Held = Owner<LoanReturns, Release>;
  struct Close {
    void operator()(LoanReturns* returns) const noexcept {
      returns->closed_.store(true, MemoryOrder::relaxed);
      returns->release();
    }
  };
  /// That of a link that sends: without it nothing is expected to come back any more.
  using OfLink = Owner<LoanReturns, Close>;

  static Result<OfLink> create(os::Descriptor& file) {
    auto made = os::create_memory_file("strait-returns", bytes);
    if (!made) return made.error();
    if (auto sealed = os::add_seals(made->get(), os::seals_of_size); !sealed) return sealed.error();
    auto* returns = new (std::nothrow) LoanReturns;
    if (returns == nullptr) return no_memory();
    OfLink owned(returns);
    auto mapping = os::Mapping::map(bytes, os::Mapping::shared, made->get());
    if (!mapping) return mapping.error();
    returns->mapping_ = std::move(*mapping);
    file = std::move(*made);
    return owned;
  }

  /// One that a peer made.
  ///
  /// Errors: `bad_region` if it is no such memory; the system's.
  static Result<Held> adopt(os::Descriptor file) {
    const auto size = os::sealed_size(file.get(), os::seals_of_size);
    if (!size) return size.error();
    if (*size < bytes) return Errc::bad_region;
    auto* returns = new (std::nothrow) LoanReturns;
    if (returns == nullptr) return no_memory();
    Held owned(returns);
    auto mapping = os::Mapping::map_received(bytes, os::Mapping::shared, file.get());
    if (!mapping) return mapping.error();
    returns->mapping_ = std::move(*mapping);
    return owned;
  }

  Held share() {
    references_.fetch_add(1, MemoryOrder::relaxed);  // the caller has one already
    return Held(this);
  }

  /// Whether the link has ended. Relaxed: all that hangs on it is memory that is used no more.
  bool is_closed() const { return closed_.load(MemoryOrder::relaxed); }

  /// For the sender: see `LoanCount`.
  bool is_back(std::size_t place, std::uint32_t number) {
    return counts_[place].is_back(at(place), number);
  }
  /// For the receiver.
  void give_back(std::size_t place) { LoanCount::give_back(at(place)); }

 private:
  /// Each on a line of its own: several threads may read what came in different places.
  struct alignas(64) Place {
    LoanCount::SharedWord returned;
  };
  static constexpr std::size_t bytes = places * sizeof(Place);

  LoanCount::SharedWord& at(std::size_t place) const {
    return std::launder(reinterpret_cast<Place*>(mapping_.data()))[place].returned;
  }

  void release() noexcept {
    // Release: what was done here was done before the mapping goes; acquire: for the thread that
    // unmaps it.
    if (references_.fetch_sub(1, MemoryOrder::acq_rel) == 1) delete this;
  }

  os::Mapping mapping_;
  std::array<LoanCount, places> counts_;
  Atomic<std::uint32_t> references_ = 1;
  Atomic<bool> closed_ = false;
};

}  // namespace strait::detail
