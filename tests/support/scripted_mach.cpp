#include "support/scripted_mach.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <sstream>
#include <utility>
#include <variant>
#include <vector>

#include "strait/os/posix/error.hpp"

namespace strait_test {

using namespace strait::darwin_mach;
using strait::os::Mapping;

namespace {

struct Port;
using PortRef = std::shared_ptr<Port>;

/// A right on its way. Exactly one owner; `drop` ends it.
struct Right {
  Disposition kind = Disposition::none;  // move_receive, move_send, move_send_once
  PortRef port;                          // none: null, or dead
  bool dead = false;
};

struct Memory {
  Mapping pages;
  std::size_t offset = 0;  // of the first byte in the first page
  std::size_t size = 0;
  Copy copy = Copy::virtual_copy;
};

struct Rights {
  std::vector<Right> rights;
  Disposition kind = Disposition::none;
};

/// What a descriptor stands for, and where it lies in the message.
struct Item {
  std::size_t at = 0;
  std::variant<Right, Memory, Rights> what;
};

struct QueuedMessage {
  std::vector<std::byte> bytes;
  Right destination;
  Right reply;
  std::vector<Item> items;
  AuditToken sender{};
};

}  // namespace

struct ScriptedTraps::Bell {
  strait::os::WaitSet set;
  std::weak_ptr<Port> port;
  bool messages = false;
  bool timer = false;

  void update() { messages || timer ? static_cast<void>(set.signal()) : set.clear(); }
};

namespace {

using Bell = ScriptedTraps::Bell;

struct Port {
  bool alive = true;
  std::uint32_t limit = 5;
  std::uint32_t object = 0;
  strait::os::Descriptor file;  // of a fileport; open as long as there is a right to it
  std::deque<QueuedMessage> queue;
  std::uint32_t send_rights = 0;
  std::uint32_t made = 0;
  std::uint32_t sequence = 0;
  PortRef no_senders;
  std::vector<Bell*> bells;

  bool has_news() const { return !alive || !queue.empty(); }

  /// Nothing but a message, or the end, changes what a kqueue says by itself: that a message was
  /// received does not.
  void ring_bells() {
    for (Bell* bell : bells) {
      if (has_news()) bell->messages = true;
      bell->update();
    }
  }
};

struct Entry {
  PortRef port;
  bool receive = false;
  bool send_once = false;
  std::uint32_t sends = 0;
  std::uint32_t dead = 0;
  PortRef request;        // a send-once right to where `send_possible` or `dead_name` shall go
  bool armed = false;     // only then is `send_possible` told
  bool has_slot = false;  // stays with a request that `send_possible` has answered
};

AuditToken& current_task() {
  static thread_local AuditToken token = own_task();
  return token;
}

class Kernel {
 public:
  static Kernel& instance() {
    static Kernel kernel;
    return kernel;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::map<PortName, Entry> space;
  std::map<const Port*, PortName> names;
  std::map<std::uint64_t, Mapping> memory;
  struct Service {
    PortRef port;
    AuditToken owner;
  };
  std::map<std::string, Service> services;
  std::multiset<std::string> mistakes;
  struct Failure {
    Return why;
    bool given_back;
  };
  std::deque<Failure> send_failures;
  int request_failures = 0;
  int memory_failures = 0;
  int event_failures = 0;
  int port_failures = 0;
  int fileport_failures = 0;
  int descriptor_failures = 0;
  int name_refusals = 0;
  bool old_dead_names = false;
  std::size_t most_copied = 16 << 10;
  std::size_t calls = 0;
  PortName next_name = 0x1003;

  Return mistake(Return result, const char* what, PortName name) {
    std::ostringstream text;
    text << "Mach mistake: " << what << " of name 0x" << std::hex << name;
    mistakes.insert(text.str());
    return result;
  }

  Entry* find(PortName name) {
    const auto found = space.find(name);
    return found != space.end() ? &found->second : nullptr;
  }

  PortName new_name() { return std::exchange(next_name, next_name + 4); }

  PortName name_of(const PortRef& port) {
    auto [found, is_new] = names.try_emplace(port.get(), 0);
    if (is_new) {
      found->second = new_name();
      space[found->second].port = port;
    }
    return found->second;
  }

  PortName new_port(std::uint32_t limit, std::uint32_t object = 0) {
    auto port = std::make_shared<Port>();
    port->limit = limit;
    port->object = object;
    const PortName name = name_of(port);
    space[name].receive = true;
    return name;
  }

  void forget(PortName name) {
    const auto found = space.find(name);
    const Entry entry = std::move(found->second);
    space.erase(found);
    if (!entry.send_once && entry.port) names.erase(entry.port.get());
    if (entry.request) tell(entry.request, Notification::port_deleted, name);
  }

  // --- rights ------------------------------------------------------------------------------------

  bool can_copy_in(PortName name, Disposition how) {
    if (!is_name(name)) return true;
    const Entry* entry = find(name);
    if (entry == nullptr) return false;
    switch (how) {
      case Disposition::make_send:
      case Disposition::make_send_once:
      case Disposition::move_receive: return entry->receive;
      case Disposition::copy_send:
      case Disposition::move_send: return entry->sends != 0 || entry->dead != 0;
      case Disposition::move_send_once: return entry->send_once || entry->dead != 0;
      case Disposition::none: break;
    }
    return false;
  }

  /// Takes a right out of the space, or makes one from it.
  Return copy_in(PortName name, Disposition how, Right& right) {
    if (name == null_port) return success;
    if (name == dead_port) return right.dead = true, success;
    Entry* entry = find(name);
    if (entry == nullptr) return send::invalid_right;
    right.port = entry->port;
    switch (how) {
      case Disposition::make_send:
        if (!entry->receive) return send::invalid_right;
        ++right.port->made;
        ++right.port->send_rights;
        right.kind = Disposition::move_send;
        return success;
      case Disposition::make_send_once:
        if (!entry->receive) return send::invalid_right;
        right.kind = Disposition::move_send_once;
        return success;
      case Disposition::copy_send:
        right.kind = Disposition::move_send;
        if (entry->dead != 0) return right.dead = true, right.port = nullptr, success;
        if (entry->sends == 0) return send::invalid_right;
        ++right.port->send_rights;
        return success;
      case Disposition::move_send:
        right.kind = Disposition::move_send;
        if (entry->dead != 0) {
          right = {Disposition::move_send, nullptr, true};
          if (--entry->dead == 0) forget(name);
          return success;
        }
        if (entry->sends == 0) return send::invalid_right;
        if (--entry->sends != 0) {
          ++right.port->send_rights;
        } else if (!entry->receive) {
          forget(name);
        }
        return success;
      case Disposition::move_send_once:
        right.kind = Disposition::move_send_once;
        if (entry->dead != 0) {
          right = {Disposition::move_send_once, nullptr, true};
          if (--entry->dead == 0) forget(name);
          return success;
        }
        if (!entry->send_once) return send::invalid_right;
        forget(name);
        return success;
      case Disposition::move_receive:
        if (!entry->receive) return send::invalid_right;
        right.kind = Disposition::move_receive;
        entry->receive = false;
        if (entry->sends == 0) forget(name);
        return success;
      case Disposition::none: break;
    }
    return send::invalid_right;
  }

  /// Puts a right into the space; returns its name.
  PortName copy_out(Right right) {
    if (right.dead) return dead_port;
    if (!right.port) return null_port;
    if (!right.port->alive) return dead_port;
    if (right.kind == Disposition::move_send_once) {
      const PortName name = new_name();
      Entry& entry = space[name];
      entry.port = right.port;
      entry.send_once = true;
      return name;
    }
    const PortName name = name_of(right.port);
    Entry& entry = space[name];
    if (right.kind == Disposition::move_receive) {
      entry.receive = true;
    } else if (entry.sends++ != 0) {
      --right.port->send_rights;  // two of one task are one with two references
    }
    return name;
  }

  void drop(Right right) {
    if (!right.port || !right.port->alive) return;
    switch (right.kind) {
      case Disposition::move_send: drop_send(right.port); break;
      case Disposition::move_send_once: tell(right.port, Notification::send_once, 0); break;
      case Disposition::move_receive: kill(right.port); break;
      default: break;
    }
  }

  void drop_send(const PortRef& port) {
    if (--port->send_rights == 0 && port->no_senders) {
      tell(std::exchange(port->no_senders, nullptr), Notification::no_senders, port->made);
    }
  }

  void kill(const PortRef& port) {
    port->alive = false;
    const auto messages = std::exchange(port->queue, {});
    const auto found = names.find(port.get());
    if (found != names.end()) {
      const PortName name = found->second;
      names.erase(found);
      Entry& entry = space[name];
      entry.receive = false;
      entry.dead = std::exchange(entry.sends, 0);
      const PortRef request = std::exchange(entry.request, nullptr);
      if (entry.dead == 0) {
        space.erase(name);
        if (request) tell(request, Notification::port_deleted, name);
      } else if (std::exchange(entry.has_slot, false)) {
        // One reference more for the notification, also where there was one before and none comes:
        // XNU, ipc_right_delta and ipc_right_destruct.
        ++entry.dead;
        if (request) tell(request, Notification::dead_name, name);
      }
    }
    if (const PortRef notify = std::exchange(port->no_senders, nullptr)) {
      if (notify != port) tell(notify, Notification::send_once, 0);
    }
    for (const QueuedMessage& message : messages) destroy(message);
    port->ring_bells();
    changed.notify_all();
  }

  void destroy(const QueuedMessage& message) {
    for (const Item& item : message.items) {
      if (const auto* right = std::get_if<Right>(&item.what)) drop(*right);
      if (const auto* rights = std::get_if<Rights>(&item.what)) {
        for (const Right& one : rights->rights) drop(one);
      }
    }
    drop(message.reply);
    if (message.destination.kind == Disposition::move_send) drop(message.destination);
  }

  /// A message of the kernel's own, through a send-once right: no limit holds it up.
  void tell(const PortRef& port, Notification what, std::uint32_t value) {
    if (!port->alive) return;
    QueuedMessage message;
    const bool has_value = what != Notification::send_once;
    message.bytes.resize(has_value ? sizeof(NameNotification) : sizeof(Header));
    write_at(message.bytes.data(), 0,
             Header{0, static_cast<std::uint32_t>(message.bytes.size()), 0, 0, 0,
                    static_cast<std::int32_t>(what)});
    if (has_value) {
      write_at(message.bytes.data(), offsetof(NameNotification, name), value);
    }
    message.destination = {Disposition::move_send_once, port, false};
    enqueue(port, std::move(message));
  }

  void enqueue(const PortRef& port, QueuedMessage message) {
    port->queue.push_back(std::move(message));
    port->ring_bells();
    changed.notify_all();
  }

  // --- messages ----------------------------------------------------------------------------------

  Return copy_in_items(std::span<const std::byte> bytes, std::vector<Item>& items) {
    Return result = success;
    std::size_t at = sizeof(Header) + sizeof(Body);
    const auto visitor = [&](const auto& descriptor) {
      if (result == success) result = copy_in_item(descriptor, items);
      if (result == success) items.back().at = at;
      at += sizeof descriptor;
    };
    if (!visit_descriptors(bytes, visitor)) return send::message_too_small;
    return result;
  }

  Return copy_in_item(const PortDescriptor& descriptor, std::vector<Item>& items) {
    Right right;
    right.kind = Disposition::move_send;
    const Return result = copy_in(descriptor.name, descriptor.disposition, right);
    if (result == success) items.push_back({0, std::move(right)});
    return result;
  }

  Return copy_in_item(const MemoryDescriptor& descriptor, std::vector<Item>& items) {
    if (descriptor.copy != Copy::virtual_copy && descriptor.copy != Copy::physical) {
      return send::invalid_type;
    }
    const auto* const from =
        reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(descriptor.address));
    if (!is_readable(from, descriptor.size)) return send::invalid_memory;
    Memory copy;
    copy.size = descriptor.size;
    copy.copy = descriptor.copy;
    if (descriptor.size != 0) {
      // Small memory is copied to the front of a fresh page; of large memory the pages go over.
      copy.offset = descriptor.size > most_copied ? descriptor.address % page : 0;
      copy.pages = new_pages(copy.offset + descriptor.size);
      std::memcpy(copy.pages.data() + copy.offset, from, descriptor.size);
      if (descriptor.deallocate != 0) memory.erase(descriptor.address - descriptor.address % page);
    }
    items.push_back({0, std::move(copy)});
    return success;
  }

  Return copy_in_item(const PortsDescriptor& descriptor, std::vector<Item>& items) {
    const auto found = memory.find(descriptor.address);
    const std::size_t size = descriptor.count * sizeof(PortName);
    if (size != 0 && (found == memory.end() || found->second.size() < size)) {
      return send::invalid_memory;
    }
    Rights rights;
    for (std::size_t i = 0; i != descriptor.count; ++i) {
      Right right;
      const auto name = read_at<PortName>(found->second.bytes(), i * sizeof(PortName));
      if (copy_in(name, descriptor.disposition, right) != success) return send::invalid_right;
      rights.kind = right.kind;
      rights.rights.push_back(std::move(right));
    }
    items.push_back({0, std::move(rights)});
    return success;
  }

  Return copy_in_item(const GuardedPortDescriptor&, std::vector<Item>&) {
    return send::invalid_type;
  }

  /// A right to a port that only the kernel receives from.
  PortName new_object(std::uint32_t type, strait::os::Descriptor file = {}) {
    const auto port = std::make_shared<Port>();
    port->object = type;
    port->file = std::move(file);
    port->send_rights = 1;
    return copy_out({Disposition::move_send, port, false});
  }

  static constexpr std::size_t page = 4096;

  /// Any memory may be sent that can be read.
  static bool is_readable(const std::byte* from, std::size_t size) {
    if (size == 0) return true;
    int ends[2];
    if (::pipe(ends) != 0) return false;
    const strait::os::Descriptor reader(ends[0]);
    const strait::os::Descriptor writer(ends[1]);
    const auto first = reinterpret_cast<std::uintptr_t>(from);
    if (first + size < first) return false;
    // A byte of each page: the kernel looks without a fault.
    for (std::uintptr_t at = first; at < first + size; at += page - at % page) {
      char byte;
      if (::write(writer.get(), reinterpret_cast<const void*>(at), 1) != 1 ||
          ::read(reader.get(), &byte, 1) != 1) {
        return false;
      }
    }
    return true;
  }

  static Mapping new_pages(std::size_t size) {
    return Mapping::map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1).value();
  }

  std::uint64_t own(Mapping pages) {
    const auto address = reinterpret_cast<std::uintptr_t>(pages.data());
    memory.emplace(address, std::move(pages));
    return address;
  }

  /// Writes what became of the items into the message, and puts them into the space.
  void copy_out_items(std::byte* bytes, std::vector<Item>& items) {
    for (Item& item : items) {
      if (auto* right = std::get_if<Right>(&item.what)) {
        write_at(bytes, item.at,
                 PortDescriptor{copy_out(*right), 0, 0, right->kind, DescriptorType::port});
      } else if (auto* region = std::get_if<Memory>(&item.what)) {
        MemoryDescriptor descriptor{0,
                                    region->copy == Copy::virtual_copy,
                                    region->copy,
                                    0,
                                    DescriptorType::memory,
                                    static_cast<std::uint32_t>(region->size)};
        if (region->size != 0) descriptor.address = own(std::move(region->pages)) + region->offset;
        write_at(bytes, item.at, descriptor);
      } else if (auto* rights = std::get_if<Rights>(&item.what)) {
        PortsDescriptor descriptor{0,
                                   1,
                                   Copy::virtual_copy,
                                   rights->kind,
                                   DescriptorType::ports,
                                   static_cast<std::uint32_t>(rights->rights.size())};
        if (!rights->rights.empty()) {
          Mapping names_of_rights = new_pages(rights->rights.size() * sizeof(PortName));
          for (std::size_t i = 0; i != rights->rights.size(); ++i) {
            write_at(names_of_rights.data(), i * sizeof(PortName), copy_out(rights->rights[i]));
          }
          descriptor.address = own(std::move(names_of_rights));
        }
        write_at(bytes, item.at, descriptor);
      }
    }
  }

  Return send(std::unique_lock<std::mutex>& lock, std::byte* bytes, std::size_t size,
              Options options) {
    if (size < sizeof(Header) || size % 4 != 0) return send::message_too_small;
    if (size > max_message_bytes) return send::too_large;
    QueuedMessage message;
    message.bytes.assign(bytes, bytes + size);
    message.sender = current_task();
    auto header = read_at<Header>(message.bytes, 0);
    header.size = static_cast<std::uint32_t>(size);
    write_at(message.bytes.data(), 0, header);
    const bool is_complex = (header.bits & complex_bit) != 0;
    if (is_complex) {
      if (size < sizeof(Header) + sizeof(Body)) return send::message_too_small;
      const auto count = read_at<Body>(message.bytes, sizeof(Header)).descriptors;
      if (count > (size - sizeof(Header) - sizeof(Body)) / sizeof(PortDescriptor)) {
        return send::message_too_small;
      }
    }
    header.bits &= 0x801f'1f1fU;
    if (local_right(header.bits) == Disposition::none && header.local != null_port) {
      return send::invalid_header;
    }
    const Entry* destination = find(header.remote);
    if (!is_name(header.remote) || destination == nullptr || destination->dead != 0) {
      return send::invalid_dest;
    }
    if (destination->port->object != 0) {
      return mistake(send::invalid_options, "message to a kernel object", header.remote);
    }
    bool give_back = false;
    Return failure = send::timed_out;
    if (!send_failures.empty()) {
      const Failure planned = send_failures.front();
      send_failures.pop_front();
      if (!planned.given_back) return planned.why;
      give_back = true;
      failure = planned.why;
    }
    // Both rights of the header go, or none does.
    if (!can_copy_in(header.local, local_right(header.bits))) return send::invalid_reply;
    if (copy_in(header.remote, remote_right(header.bits), message.destination) != success) {
      return send::invalid_dest;
    }
    const PortRef port = message.destination.port;
    if (const Return result = copy_in(header.local, local_right(header.bits), message.reply);
        result != success) {
      drop(message.destination);
      return result;
    }
    if (const Return result = copy_in_items(message.bytes, message.items); result != success) {
      destroy(message);
      return result;
    }
    const bool limited = message.destination.kind != Disposition::move_send_once;
    while (!give_back && limited && port->alive && port->queue.size() >= port->limit) {
      if ((options & option::send_timeout) != 0) {
        give_back = true;
      } else {
        changed.wait(lock);
      }
    }
    if (give_back) {
      header.bits =
          (header.bits & complex_bit) | header_bits(message.destination.kind, message.reply.kind);
      header.remote = copy_out(message.destination);
      header.local = copy_out(message.reply);
      write_at(bytes, 0, header);
      copy_out_items(bytes, message.items);
      return failure;
    }
    // A port that has died meanwhile, or that would be in its own queue, swallows the message.
    const bool swallows_itself =
        std::any_of(message.items.begin(), message.items.end(), [&](const Item& item) {
          const auto* right = std::get_if<Right>(&item.what);
          return right != nullptr && right->kind == Disposition::move_receive &&
                 right->port == port;
        });
    if (!port->alive || swallows_itself) {
      destroy(message);
    } else {
      enqueue(port, std::move(message));
    }
    return success;
  }

  Return receive(std::unique_lock<std::mutex>& lock, std::byte* bytes, std::size_t size,
                 Options options, PortName name, std::uint32_t timeout_ms) {
    const Entry* entry = find(name);
    if (entry == nullptr || !entry->receive) {
      return mistake(receive::invalid_name, "receive", name);
    }
    const PortRef port = entry->port;
    const auto end = std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (port->alive && port->queue.empty()) {
      if ((options & option::receive_timeout) == 0) {
        changed.wait(lock);
      } else if (timeout_ms == 0 || changed.wait_until(lock, end) == std::cv_status::timeout) {
        if (port->alive && port->queue.empty()) return receive::timed_out;
      }
    }
    if (!port->alive) return receive::port_changed;
    const std::size_t wanted = port->queue.front().bytes.size() + sizeof(AuditTrailer);
    if (wanted > size && (options & option::receive_large) != 0) {
      // Nothing but the size is written.
      write_at(bytes, offsetof(Header, size),
               static_cast<std::uint32_t>(port->queue.front().bytes.size()));
      return receive::too_large;
    }
    QueuedMessage message = std::move(port->queue.front());
    port->queue.pop_front();
    changed.notify_all();
    AuditTrailer trailer{0, sizeof trailer, port->sequence++, {0, 1}, message.sender};
    if (wanted > size) {
      destroy(message);
      trailer.sender = {};
      write_at(bytes, 0, Header{0, sizeof(Header), 0, name, 0, 0});
      write_at(bytes, sizeof(Header), trailer);
      return receive::too_large;
    }
    // Whoever takes a message out tells that a send is possible, however many are left.
    if (const auto known = names.find(port.get()); known != names.end()) {
      Entry& holder = space[known->second];
      if (holder.request && std::exchange(holder.armed, false)) {
        tell(std::exchange(holder.request, nullptr), Notification::send_possible, known->second);
      }
    }
    auto header = read_at<Header>(message.bytes, 0);
    header.bits =
        (header.bits & complex_bit) | header_bits(message.reply.kind, message.destination.kind);
    header.remote = copy_out(message.reply);
    header.local = name;
    write_at(message.bytes.data(), 0, header);
    copy_out_items(message.bytes.data(), message.items);
    if (message.destination.kind == Disposition::move_send) drop(message.destination);
    std::memcpy(bytes, message.bytes.data(), message.bytes.size());
    write_at(bytes, message.bytes.size(), trailer);
    return success;
  }
};

/// What `kernel_object` says of a fileport.
constexpr std::uint32_t fileport = 34;

/// True for as many times as were planned.
bool take_one(int& failures) { return failures > 0 && failures-- > 0; }

}  // namespace

ScriptedTraps::Return ScriptedTraps::message(void* message, Options options,
                                             std::uint32_t send_bytes, std::uint32_t receive_bytes,
                                             Name receive, std::uint32_t timeout_ms) {
  Kernel& kernel = Kernel::instance();
  std::unique_lock lock(kernel.mutex);
  ++kernel.calls;
  auto* bytes = static_cast<std::byte*>(message);
  if ((options & option::send) != 0) {
    const Return sent = kernel.send(lock, bytes, send_bytes, options);
    if (sent != success) return sent;
  }
  if ((options & option::receive) == 0) return success;
  return kernel.receive(lock, bytes, receive_bytes, options, receive, timeout_ms);
}

ScriptedTraps::Return ScriptedTraps::construct_port(std::uint32_t queue_limit, Name& port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  if (take_one(kernel.port_failures)) return kern::resource_shortage;
  if (queue_limit > max_queue_limit) return kern::invalid_value;
  port = kernel.new_port(queue_limit);
  return success;
}

ScriptedTraps::Return ScriptedTraps::destroy_receive(Name port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  const Entry* entry = kernel.find(port);
  if (entry == nullptr) return kernel.mistake(kern::invalid_name, "end of a receive right", port);
  if (!entry->receive) {
    return kernel.mistake(kern::invalid_right, "end of a receive right", port);
  }
  kernel.kill(PortRef(entry->port));
  return success;
}

ScriptedTraps::Return ScriptedTraps::deallocate(Name name) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  if (name == null_port) return success;
  Entry* entry = kernel.find(name);
  if (entry == nullptr) return kernel.mistake(kern::invalid_name, "deallocation", name);
  const PortRef port = entry->port;
  if (entry->dead != 0) {
    if (--entry->dead == 0) kernel.forget(name);
  } else if (entry->send_once) {
    kernel.forget(name);
    kernel.drop({Disposition::move_send_once, port, false});
  } else if (entry->sends != 0) {
    if (--entry->sends == 0) {
      if (!entry->receive) kernel.forget(name);
      kernel.drop_send(port);
    }
  } else {
    return kernel.mistake(kern::invalid_right, "deallocation", name);
  }
  return success;
}

ScriptedTraps::Return ScriptedTraps::make_send(Name port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  Entry* entry = kernel.find(port);
  if (entry == nullptr || !entry->receive) {
    return kernel.mistake(kern::invalid_right, "making of a send right", port);
  }
  ++entry->port->made;
  if (entry->sends++ == 0) ++entry->port->send_rights;
  return success;
}

ScriptedTraps::Return ScriptedTraps::set_queue_limit(Name port, std::uint32_t queue_limit) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  const Entry* entry = kernel.find(port);
  if (entry == nullptr || !entry->receive) {
    return kernel.mistake(kern::invalid_right, "queue limit", port);
  }
  if (queue_limit > max_queue_limit) return kern::invalid_value;
  entry->port->limit = queue_limit;
  return success;
}

ScriptedTraps::Return ScriptedTraps::request_notification(Name name, Notification what,
                                                          std::uint32_t sync, Name notify,
                                                          Name& previous) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  Entry* entry = kernel.find(name);
  const Entry* target = kernel.find(notify);
  if (entry == nullptr || (notify != null_port && (target == nullptr || !target->receive))) {
    return kernel.mistake(kern::invalid_name, "notification request", name);
  }
  const PortRef port = entry->port;
  // A null port takes the request back.
  const PortRef to = target != nullptr ? target->port : nullptr;
  // The new right to tell is made before anything else, and ends unused when that fails.
  const auto fail = [&](Return why) {
    if (to) kernel.tell(to, Notification::send_once, 0);
    return why;
  };
  if (take_one(kernel.request_failures)) return fail(kern::resource_shortage);
  Return result = success;
  const auto replace = [&](PortRef& slot) {
    const PortRef old = std::exchange(slot, to);
    if (!old) return;
    // What was asked stands, although the right that it replaces can't be given out.
    if (!old->alive) return void(result = kern::invalid_capability);
    previous = kernel.copy_out({Disposition::move_send_once, old, false});
  };
  if (what == Notification::no_senders) {
    if (!entry->receive) return fail(kern::invalid_right);
    replace(port->no_senders);
    if (to && port->send_rights == 0 && sync <= port->made) {
      kernel.tell(std::exchange(port->no_senders, nullptr), what, port->made);
    }
    return result;
  }
  if (entry->dead != 0) {
    if (what == Notification::dead_name) return fail(kern::invalid_argument);
    if (!to) return success;
    ++entry->dead;
    kernel.tell(to, Notification::dead_name, name);
    return success;
  }
  replace(entry->request);
  entry->has_slot = to != nullptr;
  entry->armed = what == Notification::send_possible && sync != 0;
  if (to && what == Notification::send_possible && sync != 0 && port->queue.size() < port->limit) {
    kernel.tell(std::exchange(kernel.find(name)->request, nullptr), what, name);
  }
  return result;
}

ScriptedTraps::Return ScriptedTraps::kernel_object(Name name, std::uint32_t& type) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  const Entry* entry = kernel.find(name);
  if (entry == nullptr) return kernel.mistake(kern::invalid_name, "question for the kind", name);
  // XNU from macOS 13 on; before, and in 7195, it said `invalid_right` of a dead name, too.
  if (entry->dead != 0) return kernel.old_dead_names ? kern::invalid_right : kern::invalid_name;
  if (entry->send_once) return kern::invalid_right;
  type = entry->port->object;
  return success;
}

ScriptedTraps::Return ScriptedTraps::allocate_memory(std::size_t size, std::uint64_t& address) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  if (take_one(kernel.memory_failures)) return kern::no_space;
  address = kernel.own(Kernel::new_pages(size));
  return success;
}

ScriptedTraps::Return ScriptedTraps::deallocate_memory(std::uint64_t address, std::size_t size) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  // It is about whole pages, wherever in them it begins.
  const auto found = kernel.memory.find(address - address % Kernel::page);
  if (found == kernel.memory.end() || found->second.size() != size + address % Kernel::page) {
    return kernel.mistake(kern::invalid_argument, "deallocation of memory", 0);
  }
  kernel.memory.erase(found);
  return success;
}

ScriptedTraps::Return ScriptedTraps::check_in(const char* name, Name& port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  std::erase_if(kernel.services, [](const auto& service) { return !service.second.port->alive; });
  if (take_one(kernel.name_refusals)) return bootstrap::not_privileged;
  if (const auto held = kernel.services.find(name); held != kernel.services.end()) {
    // `launchd` lets a process hear of its own names only: launchd-842, job_mig_check_in2.
    return held->second.owner.is_same_process(current_task()) ? bootstrap::service_active
                                                              : bootstrap::not_privileged;
  }
  port = kernel.new_port(5);
  kernel.services[name] = {kernel.space[port].port, current_task()};
  return success;
}

ScriptedTraps::Return ScriptedTraps::look_up(const char* name, Name& port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  const auto found = kernel.services.find(name);
  if (found == kernel.services.end() || !found->second.port->alive) {
    return bootstrap::unknown_service;
  }
  const PortRef service = found->second.port;
  ++service->made;
  ++service->send_rights;
  port = kernel.copy_out({Disposition::move_send, service, false});
  return success;
}

strait::Result<PortName> ScriptedTraps::make_fileport(int descriptor) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  struct stat status;
  if (::fstat(descriptor, &status) != 0) return strait::os::last_error();
  // What is no file here, such as an epoll or event descriptor, stands for a kqueue.
  if ((status.st_mode & S_IFMT) == 0) return strait::os::system_error(EINVAL);
  if (take_one(kernel.fileport_failures)) return strait::os::system_error(EAGAIN);
  strait::os::Descriptor file(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  if (!file) return strait::os::system_error(EAGAIN);
  return kernel.new_object(fileport, std::move(file));
}

strait::Result<strait::os::Descriptor> ScriptedTraps::open_fileport(Name port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  const Entry* entry = kernel.find(port);
  if (entry == nullptr) {
    kernel.mistake(kern::invalid_name, "opening of a file", port);
    return strait::os::system_error(EINVAL);
  }
  if (!entry->port || !entry->port->file) return strait::os::system_error(EINVAL);
  if (take_one(kernel.descriptor_failures)) return strait::os::system_error(EMFILE);
  strait::os::Descriptor file(::fcntl(entry->port->file.get(), F_DUPFD_CLOEXEC, 0));
  if (!file) return strait::os::last_error();
  return file;
}

strait::Result<ScriptedTraps::PortEvents> ScriptedTraps::PortEvents::watch(Name name) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  if (take_one(kernel.event_failures)) return std::make_error_code(std::errc::too_many_files_open);
  const Entry* entry = kernel.find(name);
  if (entry == nullptr || !entry->receive) {
    kernel.mistake(kern::invalid_name, "watch", name);
    return std::make_error_code(std::errc::no_such_file_or_directory);
  }
  auto set = strait::os::WaitSet::create();
  if (!set) return set.error();
  PortEvents events;
  events.bell_ = std::make_shared<Bell>();
  events.bell_->set = std::move(*set);
  events.bell_->port = entry->port;
  entry->port->bells.push_back(events.bell_.get());
  entry->port->ring_bells();
  return events;
}

ScriptedTraps::PortEvents::~PortEvents() {
  if (!bell_) return;
  const std::lock_guard lock(Kernel::instance().mutex);
  if (const PortRef port = bell_->port.lock()) std::erase(port->bells, bell_.get());
}

strait::Result<void> ScriptedTraps::PortEvents::watch_too(int descriptor) {
  return bell_->set.watch(strait::Interest::to_read(descriptor));
}

int ScriptedTraps::PortEvents::native_handle() const {
  return bell_ ? bell_->set.native_handle() : -1;
}

strait::Result<void> ScriptedTraps::PortEvents::wake_in(std::chrono::milliseconds) {
  const std::lock_guard lock(Kernel::instance().mutex);
  bell_->timer = true;
  bell_->update();
  return {};
}

void ScriptedTraps::PortEvents::clear() {
  if (!bell_) return;
  const std::lock_guard lock(Kernel::instance().mutex);
  ++Kernel::instance().calls;
  const PortRef port = bell_->port.lock();
  bell_->messages = !port || port->has_news();
  bell_->update();
}

void ScriptedTraps::PortEvents::cancel_wake() {
  if (!bell_) return;
  const std::lock_guard lock(Kernel::instance().mutex);
  bell_->timer = false;
  bell_->update();
}

void MachScript::fail_send(Return why, bool given_back, int times) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  for (int i = 0; i != times; ++i) kernel.send_failures.push_back({why, given_back});
}
void MachScript::fail_notification_requests(int times) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().request_failures = times;
}
void MachScript::fail_memory(int times) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().memory_failures = times;
}
void MachScript::fail_events(int times) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().event_failures = times;
}
void MachScript::fail_ports(int times) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().port_failures = times;
}

PortName MachScript::kernel_object(std::uint32_t type) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  return kernel.new_object(type);
}

void MachScript::fail_fileports(int times) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().fileport_failures = times;
}
void MachScript::copies_up_to(std::size_t bytes) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().most_copied = bytes;
}
void MachScript::old_dead_names(bool old) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().old_dead_names = old;
}
void MachScript::refuse_names(int times) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().name_refusals = times;
}
void MachScript::fail_descriptors(int times) {
  const std::lock_guard lock(Kernel::instance().mutex);
  Kernel::instance().descriptor_failures = times;
}

bool MachScript::holds_receive(PortName port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  const Entry* entry = kernel.find(port);
  return entry != nullptr && entry->receive;
}

std::size_t MachScript::queued(PortName port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  const Entry* entry = kernel.find(port);
  return entry != nullptr && entry->port ? entry->port->queue.size() : 0;
}

std::uint32_t MachScript::queue_limit(PortName port) {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  const Entry* entry = kernel.find(port);
  return entry != nullptr && entry->port ? entry->port->limit : 0;
}

std::size_t MachScript::calls() {
  const std::lock_guard lock(Kernel::instance().mutex);
  return Kernel::instance().calls;
}

AsTask::AsTask(AuditToken token) : before_(std::exchange(current_task(), token)) {}
AsTask::~AsTask() { current_task() = before_; }

AuditToken own_task() {
  return {{~0U, ::geteuid(), ::getegid(), ::getuid(), ::getgid(),
           static_cast<std::uint32_t>(::getpid()), 100'000, 1}};
}

AuditToken other_task(std::int32_t process) {
  AuditToken token = own_task();
  token.values[5] = static_cast<std::uint32_t>(process);
  return token;
}

std::multiset<std::string> mach_holdings() {
  Kernel& kernel = Kernel::instance();
  const std::lock_guard lock(kernel.mutex);
  std::multiset<std::string> found = kernel.mistakes;
  for (const auto& [name, entry] : kernel.space) {
    std::ostringstream text;
    text << "Mach name 0x" << std::hex << name << std::dec << ":";
    if (entry.receive) text << " receive";
    if (entry.sends != 0) text << " send x" << entry.sends;
    if (entry.send_once) text << " send-once";
    if (entry.dead != 0) text << " dead x" << entry.dead;
    found.insert(text.str());
  }
  for (const auto& [address, pages] : kernel.memory) {
    std::ostringstream text;
    text << "Mach memory of " << pages.size() << " bytes at 0x" << std::hex << address;
    found.insert(text.str());
  }
  const std::size_t planned = kernel.send_failures.size();
  if (planned + static_cast<std::size_t>(kernel.request_failures + kernel.memory_failures +
                                         kernel.event_failures + kernel.port_failures +
                                         kernel.fileport_failures + kernel.descriptor_failures +
                                         kernel.name_refusals) !=
      0) {
    found.insert("Mach failures that were planned and did not happen");
  }
  return found;
}

}  // namespace strait_test
