#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace strait::detail {

/// A type's own name without its namespaces, the same from every compiler.
template <class T>
consteval std::string_view type_name() {
  // Compilers write `unsigned long` in their own ways, too. Widths are told apart by size.
  if constexpr (std::is_same_v<T, bool>)
    return "bool";
  else if constexpr (std::is_floating_point_v<T>)
    return "float";
  else if constexpr (std::is_integral_v<T>)
    return std::is_signed_v<T> ? "int" : "unsigned";

  std::string_view name =
      __PRETTY_FUNCTION__;  // ... [with T = ns::Ping; ...] or ... [T = ns::Ping]
  name.remove_prefix(name.find("T = ") + 4);
  name = name.substr(0, name.find_first_of(";]"));
  // Compilers write template arguments in their own ways; sizes tell such types apart.
  name = name.substr(0, name.find('<'));
  const std::size_t scope = name.rfind("::");
  return scope == name.npos ? name : name.substr(scope + 2);
}

/// The name of the type that stands at `place` in a list; empty if none does.
template <class... Ts>
std::string_view name_in_list(std::size_t place) {
  static constexpr std::string_view names[] = {type_name<Ts>()...};
  return place < sizeof...(Ts) ? names[place] : std::string_view();
}

/// A type's name as this compiler spells it, with all its scopes.
template <class T>
consteval std::string_view full_type_name() {
  std::string_view name = __PRETTY_FUNCTION__;
  name.remove_prefix(name.find("T = ") + 4);
  // A template's arguments may have brackets of their own, so this looks from the end.
  const std::size_t more = name.find("; ");
  return name.substr(0, more != name.npos ? more : name.size() - 1);
}

/// FNV-1a: enough to tell schemas apart by accident; the token is what keeps enemies out.
inline constexpr std::uint64_t fnv_basis = 0xcbf2'9ce4'8422'2325;

constexpr std::uint64_t fnv(std::uint64_t hash, std::uint64_t value) {
  for (int i = 0; i != 8; ++i, value >>= 8) hash = (hash ^ (value & 255)) * 0x100'0000'01b3;
  return hash;
}

constexpr std::uint64_t fnv(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = fnv(hash, static_cast<std::uint64_t>(c));
  return hash;
}

/// Feeds a hash with a type's name in a form that does not depend on the compiler: without
/// namespaces and other scopes, but for those that are templates; fundamental types by kind and
/// size.
class NameHasher {
 public:
  consteval explicit NameHasher(std::string_view name) : rest_(name) {
    while (!rest_.empty()) step();
    end_fundamental();
  }
  consteval std::uint64_t hash() const { return hash_; }

 private:
  static consteval bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  consteval bool skip(std::string_view text) {
    if (rest_.substr(0, text.size()) != text) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  consteval void step() {
    if (skip("(anonymous namespace)::") || skip("{anonymous}::") || skip("<unnamed>::")) return;
    if (!is_word(rest_[0])) {
      const char c = rest_[0];
      if (c != ' ') {
        end_fundamental();
        hash_ = fnv(hash_, rest_.substr(0, 1));
      }
      rest_.remove_prefix(1);
      return;
    }
    std::size_t size = 0;
    while (size != rest_.size() && is_word(rest_[size])) ++size;
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (word == "class" || word == "struct" || word == "enum") return;
    if (take_fundamental(word)) return;
    end_fundamental();
    if (skip("::")) return;  // a scope without arguments
    std::size_t digits = 0;
    while (digits != size && word[digits] >= '0' && word[digits] <= '9') ++digits;
    hash_ = fnv(hash_, digits != 0 ? word.substr(0, digits) : word);  // 3u is 3
  }

  consteval bool take_fundamental(std::string_view word) {
    if (word == "unsigned") {
      unsigned_ = true;
    } else if (word == "signed") {
      signed_ = true;
    } else if (word == "long") {
      ++longs_;
    } else if (word == "short") {
      short_ = true;
    } else if (word == "int") {
    } else if (word == "char" || word == "double" || word == "float" || word == "bool") {
      kind_ = word[0];
    } else {
      return false;
    }
    fundamental_ = true;
    return true;
  }

  consteval void end_fundamental() {
    if (!fundamental_) return;
    std::uint64_t size = longs_ == 0 ? sizeof(int) : longs_ == 1 ? sizeof(long) : sizeof(long long);
    if (short_) size = sizeof(short);
    if (kind_ == 'c' || kind_ == 'b') size = 1;
    if (kind_ == 'f') size = sizeof(float);
    if (kind_ == 'd') size = longs_ == 0 ? sizeof(double) : sizeof(long double);
    if (kind_ == 'c' && signed_) kind_ = 's';
    hash_ = fnv(fnv(fnv(hash_, static_cast<std::uint64_t>(kind_)), size), unsigned_ ? 1U : 0U);
    unsigned_ = signed_ = short_ = fundamental_ = false;
    longs_ = 0;
    kind_ = 'i';
  }

  std::string_view rest_;
  std::uint64_t hash_ = fnv_basis;
  bool fundamental_ = false;
  bool unsigned_ = false;
  bool signed_ = false;
  bool short_ = false;
  int longs_ = 0;
  char kind_ = 'i';
};

template <class T>
consteval std::uint64_t normal_type_name_hash() {
  return NameHasher(full_type_name<T>()).hash();
}

}  // namespace strait::detail
