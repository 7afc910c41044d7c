// The words of mach/loan_count.hpp between a sender with two threads, of which one sends over the
// link and one makes the next message, and a receiver of which two threads read the same: the bytes
// are written anew when all that was lent is back.

#include "strait/mach/loan_count.hpp"

#include "model.hpp"

namespace {

using strait::detail::LoanCount;

struct CountModel : rl::test_suite<CountModel, 4> {
  LoanCount::SharedWord returned;
  LoanCount senders;
  rl::var<unsigned> bytes;

  void before() {
    returned.store(0, rl::mo_relaxed);
    bytes($) = 1;
  }

  void thread(unsigned index) {
    switch (index) {
      // Loans 1 and 2, of the same bytes, have been sent to the receiver, which reads them.
      case 0:
      case 1:
        RL_ASSERT(bytes($) == 1);
        LoanCount::give_back(returned);
        break;
      // The link's thread looks what is out.
      case 2: senders.is_back(returned, 2); break;
      // The pool's writes the next message where they were; it may have it from the other's look.
      default:
        for (rl::linear_backoff backoff; !senders.is_back(returned, 2);) backoff.yield($);
        bytes($) = 2;
        RL_ASSERT(senders.is_back(returned, 1));
        RL_ASSERT(senders.is_back(returned, 2));
    }
  }
};

}  // namespace

model::Atomic<std::uint64_t>& model::word_at(std::byte*) { std::abort(); }

int main() { return model::check<CountModel>(); }
