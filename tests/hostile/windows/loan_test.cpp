// Peers that lend memory by hand: what they name, and what it really is.

#include <strait/mach/loan_pool.hpp>
#include <strait/os/windows/memory_file.hpp>
#include <strait/rights/windows/handle_transfer.hpp>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "conformance/channels.hpp"
#include "hostile/windows/mach_peer.hpp"

using namespace strait_test;
using strait::detail::LoanSegment;
using strait::detail::MessageKind;
using strait::detail::OolReference;
using strait::windows::HandleLedger;
using strait::windows::HandleNumber;
using strait::windows::number_of;
using Place = OolReference::Place;

namespace {

constexpr std::size_t lent = 65'536;
const std::size_t segment_bytes = LoanSegment::header_bytes() + lent;

Descriptor section_of_size(std::size_t bytes, DWORD kind = SEC_COMMIT) {
  Descriptor made(::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | kind,
                                       static_cast<DWORD>(std::uint64_t{bytes} >> 32),
                                       static_cast<DWORD>(bytes), nullptr));
  REQUIRE(made);
  return made;
}

/// A file, and a section of it, whose pages could fail when they are touched.
struct FileBacked {
  std::string path = runtime_dir() + "/lent";
  Descriptor file{::CreateFileA(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr)};
  Descriptor section{::CreateFileMappingW(file.get(), nullptr, PAGE_READWRITE, 0,
                                          static_cast<DWORD>(segment_bytes), nullptr)};

  ~FileBacked() {
    section.reset();
    file.reset();
    std::filesystem::remove(path);
  }
};

/// A peer that has agreed to loans, and writes its records by hand.
struct Lender {
  MachPeer<MachLoan> peer{};
  strait::mach_ring::RingWriter out = peer.up.writer();
  Descriptor ledger = section_of_size(sizeof(HandleLedger));
  Descriptor event = strait::windows::make_event().value();
  bool introduced = false;

  /// A reference to memory, with such handles.
  void lend(const OolReference& note, const std::vector<HANDLE>& handles,
            MessageKind kind = MessageKind::loan) {
    std::vector<HandleNumber> numbers;
    if (!handles.empty() && !introduced) {
      introduced = true;
      numbers = {number_of(ledger.get()), number_of(event.get())};
    }
    for (const HANDLE handle : handles) numbers.push_back(number_of(handle));
    const std::size_t extra = numbers.size() * sizeof(HandleNumber);
    const strait::MessageHeader header{static_cast<std::uint32_t>(sizeof note + extra), 0,
                                       static_cast<std::uint8_t>(kind),
                                       static_cast<std::uint8_t>(handles.size())};
    REQUIRE(out.post(header, [&](std::byte* room) {
      std::memcpy(room, &note, sizeof note);
      if (extra != 0) std::memcpy(room + sizeof note, numbers.data(), extra);
    }));
  }
  bool is_heard(std::size_t count) {
    return poll_until(peer.door.server, inbox(), [&] { return inbox().messages.size() == count; });
  }
  std::error_code end() { return peer.server_end(); }
  Inbox& inbox() { return peer.door.at_server; }
};

}  // namespace

TEST_CASE("a loan by the rules is heard, and again from the same place",
          "[hostile][windows][ool]") {
  Lender lender;
  const Descriptor section = section_of_size(segment_bytes);
  const auto view = Mapping::map(segment_bytes, Mapping::shared, section.get()).value();
  fill_pattern(view.bytes().subspan(LoanSegment::header_bytes()), 3);
  lender.lend({lent, 0, Place::fresh}, {section.get()});
  REQUIRE(lender.is_heard(1));
  CHECK(same_bytes(lender.inbox().messages[0], pattern(lent, 3)));
  lender.lend({100, 0, Place::cached}, {});
  REQUIRE(lender.is_heard(2));
  CHECK(same_bytes(lender.inbox().messages[1],
                   View(view.bytes()).subspan(LoanSegment::header_bytes(), 100)));
}

TEST_CASE("memory that could not be read to its end is not borrowed", "[hostile][windows][ool]") {
  Lender lender;
  const FileBacked file;
  Descriptor section;
  std::size_t bytes = lent;
  HANDLE named = nullptr;
  SECTION("pages that are only reserved") { section = section_of_size(segment_bytes, SEC_RESERVE); }
  SECTION("pages of a file") {
    REQUIRE(file.section);
    named = file.section.get();
  }
  SECTION("too few bytes") { section = section_of_size(segment_bytes - 4096); }
  SECTION("not even a header") {
    section = section_of_size(4096);
    bytes = 1;
  }
  SECTION("more than was agreed on") { section = section_of_size((std::size_t{256} << 20) + 8192); }
  SECTION("read only") {
    const Descriptor whole = section_of_size(segment_bytes);
    section = strait::windows::duplicate(whole.get(), FILE_MAP_READ | SECTION_QUERY);
  }
  SECTION("of a size that can't be asked for") {
    const Descriptor whole = section_of_size(segment_bytes);
    section = strait::windows::duplicate(whole.get(), FILE_MAP_READ | FILE_MAP_WRITE);
  }
  SECTION("no memory at all") { section = strait::windows::make_event().value(); }
  if (named == nullptr) named = section.get();
  REQUIRE(named != nullptr);
  lender.lend({bytes, 0, Place::fresh}, {named});
  CHECK(lender.end() == Errc::bad_region);
  CHECK(lender.inbox().messages.empty());
}

TEST_CASE("a place where nothing was lent, or not so much, ends the channel",
          "[hostile][windows][ool]") {
  Lender lender;
  const Descriptor section = section_of_size(segment_bytes);
  lender.lend({100, 5, Place::fresh}, {section.get()});
  REQUIRE(lender.is_heard(1));
  SECTION("one that was never lent") { lender.lend({100, 6, Place::cached}, {}); }
  SECTION("behind the last") {
    lender.lend({100, GENERATE(128u, 129u, UINT32_MAX), Place::cached}, {});
  }
  SECTION("a new one behind the last") { lender.lend({100, 128, Place::fresh}, {section.get()}); }
  SECTION("more than is there") { lender.lend({lent + 1, 5, Place::cached}, {}); }
  SECTION("a new one where there is one") { lender.lend({100, 5, Place::fresh}, {section.get()}); }
  SECTION("a new one without memory") { lender.lend({100, 6, Place::fresh}, {}); }
  SECTION("an old one with memory") { lender.lend({100, 5, Place::cached}, {section.get()}); }
  SECTION("with two memories") {
    lender.lend({100, 6, Place::fresh}, {section.get(), section.get()});
  }
  SECTION("none of the three ways") { lender.lend({100, 5, Place{7}}, {}); }
  SECTION("a region, of which there are none") {
    lender.lend({100, 6, Place::once}, {section.get()}, MessageKind::region);
  }
  SECTION("a region to forget") { lender.lend({0, 5, Place::once}, {}, MessageKind::forget); }
  SECTION("a patch") { lender.lend({0, 5, Place::once}, {}, MessageKind::patch); }
  CHECK(lender.end() == Errc::malformed);
  CHECK(lender.inbox().messages.size() == 1);
}

TEST_CASE("a loan of more bytes than a message may have ends the channel",
          "[hostile][windows][ool]") {
  Lender lender;
  const Descriptor section = section_of_size(segment_bytes);
  lender.lend({GENERATE((std::uint64_t{256} << 20) + 1, std::uint64_t{1} << 40, UINT64_MAX), 0,
               Place::fresh},
              {section.get()});
  CHECK(lender.end() == Errc::message_too_large);
}

TEST_CASE("a lender that goes on writing spoils what is read, and no more",
          "[hostile][windows][ool]") {
  Lender lender;
  const Descriptor section = section_of_size(segment_bytes);
  const auto view = Mapping::map(segment_bytes, Mapping::shared, section.get()).value();
  lender.lend({lent, 0, Place::fresh}, {section.get()});
  for (std::size_t i = 1; i != 50; ++i) {
    fill_pattern(view.bytes(), i);  // also over the word that says whether the loan is free
    lender.lend({lent, 0, Place::cached}, {});
    REQUIRE(lender.is_heard(i + 1));
  }
}

TEST_CASE("a loan for a peer that has not agreed to any ends the channel",
          "[hostile][windows][ool]") {
  MachPeer<> peer;
  auto out = peer.up.writer();
  const OolReference note{100, 0, Place::cached};
  const strait::MessageHeader header{sizeof note, 0, static_cast<std::uint8_t>(MessageKind::loan),
                                     0};
  REQUIRE(out.post(header, [&](std::byte* room) { std::memcpy(room, &note, sizeof note); }));
  CHECK(peer.server_end() == Errc::malformed);
}
