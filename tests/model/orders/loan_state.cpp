// The words of mach/loan_state.hpp between a lender, another thread of its process that drops what
// it was lent, and the receiver: whoever has the loan has its bytes alone.

#include "strait/mach/loan_state.hpp"

#include "model.hpp"

namespace {

using strait::detail::LoanState;

struct LoanModel : rl::test_suite<LoanModel, 3> {
  LoanState::SharedWord free;
  LoanState lenders;
  LoanState receivers;
  rl::var<unsigned> bytes;
  model::Atomic<unsigned> message{0};  // for the receiver
  model::Atomic<unsigned> buffer{0};   // for the other thread

  void before() {
    free.store(0, rl::mo_relaxed);
    bytes($) = 0;
  }

  void thread(unsigned index) {
    if (index == 0) {
      // As made by the lender, lent already: to the receiver, to the thread, to the receiver.
      bytes($) = 1;
      lenders.hand_over(free);
      message.store(1, rl::mo_release);
      lend();
      bytes($) = 2;
      buffer.store(1, rl::mo_release);
      lend();
      bytes($) = 3;
      lenders.hand_over(free);
      message.store(2, rl::mo_release);
    } else if (index == 1) {
      receive(1, 1);
      receive(2, 3);
    } else {
      await(buffer, 1);
      bytes($) = 4;
      lenders.drop(free);
    }
  }

  void lend() {
    for (rl::linear_backoff backoff; !lenders.try_lend(free);) backoff.yield($);
  }
  static void await(model::Atomic<unsigned>& word, unsigned value) {
    for (rl::linear_backoff backoff; word.load(rl::mo_acquire) != value;) backoff.yield($);
  }
  void receive(unsigned number, unsigned expected) {
    await(message, number);
    RL_ASSERT(bytes($) == expected);
    receivers.drop(free);
  }
};

}  // namespace

model::Atomic<std::uint64_t>& model::word_at(std::byte*) { std::abort(); }

int main() { return model::check<LoanModel>(); }
